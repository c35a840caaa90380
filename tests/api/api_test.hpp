// What tests of the API say: sales, customers, and what they are answered.
#pragma once

#include "api/api_server.hpp"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::api::testing {

namespace json = boost::json;

/// One answer, read.
struct Reply {
  unsigned status = 0;
  std::map<std::string, std::string> fields;
  std::string text;
  json::value body;  ///< null where the body is not JSON

  std::string code() const { return string("code"); }
  std::string state() const { return string("state"); }
  std::string id() const { return string("id"); }
  /// A member as a string; "null" and "absent" as such, so that a failed comparison says what is there.
  std::string string(std::string_view member) const;
  std::int64_t integer(std::string_view member) const;
  bool null(std::string_view member) const { return string(member) == "null"; }
  std::string field(const std::string& name) const;
};

/// A keep-alive connection.
class Client {
 public:
  explicit Client(std::uint16_t port) : connection_(port) {}

  Reply ask(std::string_view method, std::string_view target, std::string_view body = {},
            const std::vector<std::string>& fields = {});
  Reply get(std::string_view target) { return ask("GET", target); }
  Reply post(std::string_view target, std::string_view body = {}, const std::vector<std::string>& fields = {}) {
    return ask("POST", target, body, fields);
  }

  void send(std::string_view method, std::string_view target, std::string_view body = {},
            const std::vector<std::string>& fields = {});
  Reply receive();
  /// Bytes as they are.
  void send_raw(std::string_view bytes);
  /// All that comes until the server closes.
  std::string receive_raw();

 private:
  firstcome::testing::BlockingClient connection_;
};

/// A server and a connection to it.
class ApiTest : public ::testing::Test {
 protected:
  /// Creates a sale `id` of `stock` units with further members: `"hold_ms":0`.
  Reply create(std::string_view id, Units stock, std::string_view members = "");
  Reply reserve(std::string_view sale, std::string_view customer, Units quantity = 1,
                const std::vector<std::string>& fields = {});
  /// The id of a reservation that is surely accepted.
  std::string reserved(std::string_view sale, std::string_view customer, Units quantity = 1);
  Reply sale(std::string_view id) { return client.get("/v1/sales/" + std::string(id)); }
  Reply reservation(std::string_view id) { return client.get("/v1/reservations/" + std::string(id)); }
  /// POST /v1/reservations/{id}/{what}
  Reply act(std::string_view id, std::string_view what, std::string_view body = "");
  Reply patch(std::string_view sale, std::string_view body);

  ApiServer server;
  Client client{server.port()};
};

/// A problem with its members as they must be.
void expect_problem(const Reply& reply, unsigned status, std::string_view code);

std::string key(std::string_view text);

}  // namespace firstcome::api::testing
