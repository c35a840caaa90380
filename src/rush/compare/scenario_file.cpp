// A scenario from a JSON file. Each mistake is told with the member's name and its rule.
#include "rush/compare/scenario.hpp"

#include <firstcome/limits.hpp>

#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>

namespace firstcome::rush {
namespace {

namespace json = boost::json;

constexpr std::uint32_t sales_most = 1'000;

/// One member: reads it, or says the rule that it breaks.
struct Member {
  std::string_view name;
  std::string rule;  ///< completes "NAME must be ..."
  std::function<bool(const json::value&, Scenario&)> read;
};

std::optional<std::int64_t> whole(const json::value& value, std::int64_t least, std::int64_t most) {
  if (!value.is_int64() && !value.is_uint64()) return std::nullopt;
  boost::system::error_code error;
  const auto number = value.to_number<std::int64_t>(error);
  if (error || number < least || number > most) return std::nullopt;
  return number;
}

template <typename Target>
Member whole_member(std::string_view name, Target Scenario::* target, std::int64_t least, std::int64_t most) {
  return {name, fmt::format("a whole number from {} to {}", least, most),
          [=](const json::value& value, Scenario& into) {
            const auto number = whole(value, least, most);
            if (!number) return false;
            if constexpr (std::is_same_v<Target, Milliseconds> || std::is_same_v<Target, std::optional<Milliseconds>>)
              into.*target = Milliseconds{*number};
            else if constexpr (std::is_same_v<Target, std::optional<std::uint32_t>>)
              into.*target = static_cast<std::uint32_t>(*number);
            else
              into.*target = static_cast<Target>(*number);
            return true;
          }};
}

Member number_member(std::string_view name, double Scenario::* target, double least, double most) {
  return {name, fmt::format("a number from {} to {}", least, most), [=](const json::value& value, Scenario& into) {
            if (!value.is_number()) return false;
            const auto number = value.to_number<double>();
            if (!(number >= least && number <= most)) return false;
            into.*target = number;
            return true;
          }};
}

bool is_name(std::string_view name) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !name.empty() && name.size() <= 24 && name.front() != '-' && std::ranges::all_of(name, plain);
}

bool read_kind(const json::value& value, Scenario& into) {
  if (!value.is_string()) return false;
  into.kind = std::string(value.get_string());
  return into.kind == "product" || into.kind == "ticket" || into.kind == "coupon";
}

bool read_payment(const json::value& value, Scenario& into) {
  if (!value.is_string()) return false;
  constexpr std::array words{std::pair{"none", Scenario::Payment::none}, std::pair{"client", Scenario::Payment::client},
                             std::pair{"auto", Scenario::Payment::by_shop}};
  const auto* found = std::ranges::find_if(words, [&](const auto& pair) { return value.get_string() == pair.first; });
  if (found == words.end()) return false;
  into.payment = found->second;
  return true;
}

bool read_units(const json::value& value, Scenario& into) {
  if (!value.is_string()) return false;
  const auto units = parse_units_each(value.get_string());
  if (units) into.units_each = *units;
  return units.has_value();
}

const std::vector<Member>& members() {
  static const std::vector<Member> all{
      {"name", "1 to 24 of a-z, 0-9 and '-', not beginning with '-'",
       [](const json::value& value, Scenario& into) {
         if (value.is_string()) into.name = std::string(value.get_string());
         return value.is_string() && is_name(into.name);
       }},
      {"about", "a text",
       [](const json::value& value, Scenario& into) {
         if (value.is_string()) into.about = std::string(value.get_string());
         return value.is_string();
       }},
      {"kind", "product, ticket or coupon", read_kind},
      {"payment", "none, client or auto", read_payment},
      {"units_each", "a text with a number or a range, as \"1-3\"", read_units},
      whole_member("stock", &Scenario::stock, 1, 1'000'000),
      whole_member("customers", &Scenario::customers, 1, 1'000'000),
      whole_member("limit_per_customer", &Scenario::limit_per_customer, 1, limits::stock),
      whole_member("max_open", &Scenario::max_open, 1, 1'000'000),
      whole_member("hold_ms", &Scenario::hold, 0, 60'000),
      whole_member("click_lease_ms", &Scenario::click_lease, 1, 60'000),
      whole_member("sales", &Scenario::sales, 1, sales_most),
      number_member("skew", &Scenario::skew, 0, 5),
      number_member("rate", &Scenario::rate, 1, 1e6),
      number_member("double_click", &Scenario::double_click, 0, 1),
      number_member("without_key", &Scenario::without_key, 0, 1),
      number_member("abandon", &Scenario::abandon, 0, 1),
      number_member("fail_before", &Scenario::fail_before, 0, 1),
      number_member("fail_during", &Scenario::fail_during, 0, 1),
  };
  return all;
}

/// What is wrong with members that are right one by one.
std::optional<std::string> contradiction(const Scenario& scenario) {
  const bool pays = scenario.payment != Scenario::Payment::none;
  if (scenario.name.empty()) return "name must be there: 1 to 24 of a-z, 0-9 and '-', not beginning with '-'";
  if (pays && scenario.hold.count() == 0) return "hold_ms must be at least 1 where payment is client or auto";
  if (!pays && scenario.hold.count() > 0) return "hold_ms must be 0 where payment is none";
  if (scenario.fail_before + scenario.fail_during > 1) return "fail_before and fail_during together must be at most 1";
  if (!pays && scenario.fail_before + scenario.fail_during > 0)
    return "fail_before and fail_during must be 0 where payment is none";
  if (scenario.abandon > 0 && scenario.payment != Scenario::Payment::client)
    return "abandon must be 0 unless payment is client";
  return std::nullopt;
}

}  // namespace

std::expected<Scenario, std::string> parse_scenario(std::string_view text) {
  boost::system::error_code error;
  const json::value parsed = json::parse(text, error);
  if (error) return std::unexpected("it is not JSON: " + error.message());
  if (!parsed.is_object()) return std::unexpected("it must be a JSON object");
  Scenario scenario;
  for (const auto& [name, value] : parsed.get_object()) {
    const auto member = std::ranges::find(members(), std::string_view(name), &Member::name);
    if (member == members().end())
      return std::unexpected(fmt::format("there is no member '{}'", std::string_view(name)));
    if (!member->read(value, scenario))
      return std::unexpected(fmt::format("{} must be {}", member->name, member->rule));
  }
  if (auto problem = contradiction(scenario)) return std::unexpected(std::move(*problem));
  return scenario;
}

}  // namespace firstcome::rush
