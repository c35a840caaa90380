#include "system/witness.hpp"

#include "support/json.hpp"

#include <gtest/gtest.h>

namespace firstcome::testing {
namespace {

std::string body_for(const std::string& customer) { return R"({"customer":")" + customer + R"("})"; }

bool is_yes(unsigned status) { return status == 201 || status == 202; }

}  // namespace

void Witness::note(std::size_t promise, const HttpAnswer& answer) {
  std::lock_guard lock(mutex_);
  Promise& noted = promises_[promise];
  if (answer.status == 503) return;  // nothing was decided, or nobody knows: it stays unanswered
  noted.status = answer.status;
  if (!is_yes(answer.status)) return;
  auto body = parse_json(answer.body);
  noted.id = text_of(body, "id");
  noted.number = integer_of(body, "number");
  noted.state = text_of(body, "state");
}

bool Witness::reserve(BlockingClient& client, const std::string& sale, const std::string& customer,
                      const std::string& key) {
  std::size_t promise;
  {
    std::lock_guard lock(mutex_);
    promise = promises_.size();
    Promise asked;
    asked.sale = sale;
    asked.customer = customer;
    asked.key = key;
    promises_.push_back(std::move(asked));
  }
  auto answer =
      client.request("POST", "/v1/sales/" + sale + "/reservations", body_for(customer), {"Idempotency-Key: " + key});
  if (!answer) return false;
  note(promise, *answer);
  return true;
}

bool Witness::finish_one(BlockingClient& client, const std::string& step) {
  auto promise = take_held(step == "confirm" ? "confirmed" : "cancelled");
  if (!promise) return true;
  auto [index, id, key] = *promise;
  std::string body = step == "confirm" ? R"({"payment_id":"paid-)" + key + R"("})" : std::string{};
  auto answer = client.request("POST", "/v1/reservations/" + id + "/" + step, body);
  if (!answer) return false;
  std::lock_guard lock(mutex_);
  EXPECT_EQ(answer->status, 200U) << answer->body;
  promises_[index].state = text_of(parse_json(answer->body), "state");
  promises_[index].asked_state.clear();
  return true;
}

void Witness::repeat_unanswered(BlockingClient& client) {
  for (std::size_t i = 0; i < promises_.size(); ++i) {
    if (promises_[i].status != 0) continue;
    auto answer = client.request("POST", "/v1/sales/" + promises_[i].sale + "/reservations",
                                 body_for(promises_[i].customer), {"Idempotency-Key: " + promises_[i].key});
    ASSERT_TRUE(answer) << "no answer to the repeated request of " << promises_[i].customer;
    ASSERT_NE(answer->status, 503U) << answer->body;
    note(i, *answer);
  }
}

void Witness::check_new(BlockingClient& client) {
  for (; checked_ < promises_.size(); ++checked_) {
    const Promise& told = promises_[checked_];
    if (!is_yes(told.status)) continue;
    auto answer = client.request("GET", "/v1/reservations/" + told.id);
    ASSERT_TRUE(answer);
    ASSERT_EQ(answer->status, 200U) << told.customer << " was told yes and has nothing: " << answer->body;
    auto body = parse_json(answer->body);
    EXPECT_EQ(text_of(body, "customer"), told.customer);
    EXPECT_EQ(integer_of(body, "number"), told.number);
    std::string state = text_of(body, "state");
    EXPECT_TRUE(state == told.state || state == told.asked_state)
        << told.customer << " was told " << told.state << " and is " << state;
  }
}

void Witness::check_all(BlockingClient& client, const std::string& sale) {
  std::map<std::string, std::vector<std::int64_t>> has;
  for (const std::string& item : list_all(client, "/v1/sales/" + sale + "/reservations")) {
    auto body = parse_json(item);
    has[text_of(body, "customer")].push_back(integer_of(body, "number"));
  }
  std::size_t told_yes = 0;
  for (const Promise& told : promises_) {
    if (told.sale != sale || !is_yes(told.status)) continue;
    ++told_yes;
    ASSERT_EQ(has[told.customer].size(), 1U) << told.customer << " has another number of reservations than one";
    EXPECT_EQ(has[told.customer].front(), told.number) << told.customer;
  }
  EXPECT_EQ(has.size(), told_yes) << "somebody has a reservation that was never told yes";
}

std::size_t Witness::answered() const {
  std::lock_guard lock(mutex_);
  std::size_t count = 0;
  for (const Promise& told : promises_) count += told.status != 0;
  return count;
}

std::optional<Witness::Held> Witness::take_held(const std::string& next_state) {
  std::lock_guard lock(mutex_);
  for (std::size_t i = promises_.size(); i-- > 0 && i + 64 > promises_.size();) {
    Promise& noted = promises_[i];
    if (noted.state != "held" || !noted.asked_state.empty()) continue;
    noted.asked_state = next_state;
    return Held{i, noted.id, noted.key};
  }
  return std::nullopt;
}

std::vector<std::string> list_all(BlockingClient& client, const std::string& target) {
  std::vector<std::string> items;
  std::string cursor;
  do {
    auto answer = client.request("GET", target + "?limit=1000" + (cursor.empty() ? "" : "&after=" + cursor));
    if (!answer || answer->status != 200) {
      ADD_FAILURE() << "cannot list " << target << (answer ? ": " + answer->body : "");
      return items;
    }
    auto body = parse_json(answer->body);
    for (const auto& item : body.at("items").as_array()) items.push_back(boost::json::serialize(item));
    const auto& next = body.at("next");
    cursor = next.is_null() ? "" : next.is_string() ? std::string(next.as_string()) : boost::json::serialize(next);
  } while (!cursor.empty());
  return items;
}

}  // namespace firstcome::testing
