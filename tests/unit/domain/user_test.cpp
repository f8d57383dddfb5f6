#include "domain/user.h"

#include <gtest/gtest.h>

#include <string>

namespace lab::domain {
namespace {

TEST(Email, OrdinaryAddressesAreTaken) {
  for (const char* email : {"ada@example.com", "a.b+c@mail.example.co.uk", "x@y.z"}) {
    EXPECT_TRUE(check_email(email)) << email;
  }
}

TEST(Email, OthersAreInvalid) {
  for (const std::string& email :
       {std::string(), std::string("ada"), std::string("@example.com"), std::string("a@b@c.de"),
        std::string("ada@example"), std::string("ada@.com"), std::string("ada@example."),
        std::string("a da@example.com"), std::string("Ada@example.com"),
        std::string("ad\xc3\xa4@example.com"), std::string("a\0@example.com", 14),
        std::string(250, 'a').append("@b.de")}) {
    const auto checked = check_email(email);
    ASSERT_FALSE(checked) << email;
    EXPECT_EQ(checked.error().code, ErrorCode::invalid);
  }
}

TEST(Email, TheMessageSaysWhatIsWrong) {
  EXPECT_EQ(check_email("ada").error().message, "e-mail address \"ada\": needs exactly one @");
}

}  // namespace
}  // namespace lab::domain
