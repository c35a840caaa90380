#include "cli/audit_losses.hpp"

#include "cli/audited_server.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <string_view>

namespace firstcome::cli {
namespace {

namespace json = boost::json;

constexpr std::chrono::seconds patience{30};

std::string sentence_of(const json::object& loss) {
  const json::value& numbers = loss.at("numbers");
  const auto number = [&](std::string_view name) { return numbers.at(name).to_number<std::uint64_t>(); };
  const std::string lost =
      numbers.is_null() ? "events" : fmt::format("reservations {} to {}", number("from"), number("upto"));
  return fmt::format("the store has lost {} of sale {}, which {} remember", lost,
                     std::string_view(loss.at("sale").as_string()), std::string_view(loss.at("witness").as_string()));
}

}  // namespace

Losses losses_of(const net::HttpOrigin& server, const std::string& sale) {
  Losses losses;
  net::ClientRequest question;
  question.target = "/v1/losses";
  const net::ClientResult result = net::fetch(server, question, patience);
  if (!result) throw Unavailable(result.error().detail);
  if (result->status != 200) return losses;
  const json::value told = json::parse(result->body);
  for (const json::value& item : told.at("items").as_array()) {
    const std::string of(item.at("sale").as_string());
    if (!sale.empty() && of != sale) continue;
    losses.sales.insert(of);
    if (item.at("settled").is_null()) losses.open.push_back(sentence_of(item.as_object()));
  }
  return losses;
}

void say_settled(const net::HttpOrigin& server, const events::Discard& why) {
  net::ClientRequest post;
  post.method = net::Method::post;
  post.target = "/v1/losses/settle";
  post.body = json::serialize(json::object{{"by", why.by}, {"reason", why.reason}});
  const net::ClientResult result = net::fetch(server, post, patience);
  if (!result) throw Unavailable(result.error().detail);
  if (result->status != 200) throw Unavailable(fmt::format("{}: {} {}", post.target, result->status, result->body));
}

}  // namespace firstcome::cli
