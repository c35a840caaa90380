#include "api/api_test.hpp"

#include <sys/socket.h>

namespace firstcome::api::testing {

namespace {

const json::value* find(const json::value& body, std::string_view member) {
  return body.is_object() ? body.as_object().if_contains({member.data(), member.size()}) : nullptr;
}

Reply read(const std::optional<firstcome::testing::HttpAnswer>& answer) {
  Reply reply;
  EXPECT_TRUE(answer.has_value()) << "no answer came";
  if (!answer) return reply;
  reply.status = answer->status;
  reply.fields = answer->fields;
  reply.text = answer->body;
  if (reply.field("content-type").find("json") != std::string::npos) reply.body = json::parse(answer->body);
  return reply;
}

}  // namespace

std::string Reply::string(std::string_view member) const {
  const json::value* value = find(body, member);
  if (value == nullptr) return "absent";
  if (value->is_string()) return std::string(value->as_string());
  return json::serialize(*value);
}

std::int64_t Reply::integer(std::string_view member) const {
  const json::value* value = find(body, member);
  EXPECT_TRUE(value != nullptr && value->is_int64()) << member << " in " << text;
  return value != nullptr && value->is_int64() ? value->as_int64() : -1;
}

std::string Reply::field(const std::string& name) const {
  const auto found = fields.find(name);
  return found == fields.end() ? "" : found->second;
}

Reply Client::ask(std::string_view method, std::string_view target, std::string_view body,
                  const std::vector<std::string>& more) {
  send(method, target, body, more);
  return receive();
}

void Client::send(std::string_view method, std::string_view target, std::string_view body,
                  const std::vector<std::string>& more) {
  EXPECT_TRUE(connection_.send(method, target, body, more));
}

Reply Client::receive() { return read(connection_.receive()); }

void Client::send_raw(std::string_view bytes) {
  if (connection_.socket() < 0) connection_.connect();
  while (!bytes.empty()) {
    const ssize_t sent = ::send(connection_.socket(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;  // refused meanwhile: the answer says so
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

std::string Client::receive_raw() {
  std::string all;
  char chunk[4096];
  for (ssize_t got; (got = ::recv(connection_.socket(), chunk, sizeof chunk, 0)) > 0;)
    all.append(chunk, static_cast<std::size_t>(got));
  return all;
}

Reply ApiTest::create(std::string_view id, Units stock, std::string_view members) {
  std::string body = R"({"id":")" + std::string(id) + R"(","stock":)" + std::to_string(stock);
  if (!members.empty()) body.append(",").append(members);
  Reply reply = client.post("/v1/sales", body + "}");
  EXPECT_EQ(reply.status, 201U) << reply.text;
  return reply;
}

Reply ApiTest::reserve(std::string_view sale, std::string_view customer, Units quantity,
                       const std::vector<std::string>& fields) {
  const std::string body =
      R"({"customer":")" + std::string(customer) + R"(","quantity":)" + std::to_string(quantity) + "}";
  return client.post("/v1/sales/" + std::string(sale) + "/reservations", body, fields);
}

std::string ApiTest::reserved(std::string_view sale, std::string_view customer, Units quantity) {
  const Reply reply = reserve(sale, customer, quantity);
  EXPECT_TRUE(reply.status == 201 || reply.status == 202) << reply.text;
  return reply.id();
}

Reply ApiTest::act(std::string_view id, std::string_view what, std::string_view body) {
  return client.post("/v1/reservations/" + std::string(id) + "/" + std::string(what), body);
}

Reply ApiTest::patch(std::string_view sale, std::string_view body) {
  return client.ask("PATCH", "/v1/sales/" + std::string(sale), body);
}

void expect_problem(const Reply& reply, unsigned status, std::string_view code) {
  EXPECT_EQ(reply.status, status) << reply.text;
  EXPECT_EQ(reply.field("content-type"), "application/problem+json");
  EXPECT_EQ(reply.code(), code) << reply.text;
  EXPECT_EQ(reply.string("type"), "/problems/" + std::string(code));
  EXPECT_EQ(reply.integer("status"), status);
  EXPECT_NE(reply.string("title"), "absent");
}

std::string key(std::string_view text) { return "Idempotency-Key: \"" + std::string(text) + "\""; }

}  // namespace firstcome::api::testing
