#pragma once
// The folder that uploads go to, on the disk, and the same with named places at which the process can be told to die.

#include <filesystem>
#include <string>
#include <vector>

#include "actors/crash_points.h"
#include "file_server.h"

namespace large_file_streaming {

/// What an upload is called while it is none yet. Downloads do not give it out.
inline constexpr std::string_view kTemporary = ".upload-";

class DiskFolder : public Folder {
 public:
  /// Removes what uploads left that a crash cut short. Throws Failure when there is no such folder.
  explicit DiskFolder(const std::filesystem::path& folder);

  Result<File> create_temporary(std::string& name) override;
  Result<File> truncate(const std::string& name) override;
  Result<void> write(const File& file, std::span<const char> bytes) override;
  Result<void> sync(const File& file) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> sync_names() override;
  void remove(const std::string& name) override;

 private:
  Result<File> open(const std::string& name, int flags) const;

  const std::filesystem::path path_;
  File folder_;
};

/// The points, in the order in which an upload passes them; buffer_all passes the first two.
inline constexpr const char* kFileOpened = "file_opened";
inline constexpr const char* kBytesWritten = "bytes_written";
inline constexpr const char* kSynced = "synced";
inline constexpr const char* kRenamed = "renamed";
std::vector<std::string> upload_points();

/// Passes a point after each step. `points` and `inner` live longer.
class ObservedFolder : public Folder {
 public:
  ObservedFolder(Folder& inner, lab::actors::CrashPoints& points)
      : inner_(inner), points_(points) {}

  Result<File> create_temporary(std::string& name) override;
  Result<File> truncate(const std::string& name) override;
  Result<void> write(const File& file, std::span<const char> bytes) override;
  Result<void> sync(const File& file) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> sync_names() override { return inner_.sync_names(); }
  void remove(const std::string& name) override { inner_.remove(name); }

 private:
  Folder& inner_;
  lab::actors::CrashPoints& points_;
};

/// A plain name for a file at the top of the folder.
bool is_upload_name(std::string_view name);

}  // namespace large_file_streaming
