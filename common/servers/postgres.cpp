#include "servers/makers.h"

namespace lab::servers {

Result<std::unique_ptr<SqlServer>> make_postgres(std::shared_ptr<Supervisor::Channel>,
                                                 SqlServerOptions) {
  return Error{ErrorCode::unavailable, Happened::no, "postgres is not there yet"};
}

}  // namespace lab::servers
