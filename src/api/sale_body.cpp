#include "api/sale_body.hpp"

#include "api/text_rules.hpp"
#include "api/words.hpp"
#include "net/rfc3339.hpp"

#include <firstcome/limits.hpp>

#include <algorithm>
#include <array>
#include <limits>

namespace firstcome::api {

namespace {

bool fits_kind(std::string_view text) { return read_kind(text).has_value(); }
bool fits_payment(std::string_view text) { return read_payment_mode(text).has_value(); }
bool fits_said_state(std::string_view text) { return read_said_state(text).has_value(); }

constexpr std::string_view instant_rule = "null or an instant as in RFC 3339, such as 2026-11-27T09:00:00.000Z";

enum SaleMember : std::uint8_t {
  id,
  name,
  kind,
  stock,
  unit_price,
  currency,
  limit_per_customer,
  max_open,
  hold_ms,
  opens_at,
  closes_at,
  queue,
  queue_admit_per_tick,
  queue_tick_ms,
  standby,
  payment,
  extend_ms,
  sale_members
};

constexpr auto rules_of_a_sale = std::to_array<MemberRule>({
    {.path = "id",
     .need = Need::required,
     .rule = "1 to 64 of a-z, 0-9 and '-', not beginning with '-'",
     .fits = fits_sale_id},
    {.path = "name", .rule = "1 to 200 characters, none a control character", .fits = fits_sale_name},
    {.path = "kind", .rule = "product, ticket or coupon", .fits = fits_kind},
    {.path = "stock",
     .type = JsonType::integer,
     .need = Need::required,
     .rule = "an integer from 0 to 1000000000",
     .max = limits::stock},
    {.path = "unit_price",
     .type = JsonType::integer,
     .rule = "an integer from 0 to 1000000000000, in the currency's minor unit",
     .max = limits::unit_price},
    {.path = "currency", .rule = "three capital letters that ISO 4217 lists", .fits = fits_currency},
    {.path = "limit_per_customer",
     .type = JsonType::integer,
     .null = Null::accepted,
     .rule = "null or an integer from 1",
     .min = 1,
     .max = std::numeric_limits<Units>::max()},
    {.path = "max_open",
     .type = JsonType::integer,
     .null = Null::accepted,
     .rule = "null or an integer from 1 to 4294967295",
     .min = 1,
     .max = std::numeric_limits<std::uint32_t>::max()},
    {.path = "hold_ms",
     .type = JsonType::integer,
     .rule = "an integer from 0 to 604800000, in milliseconds",
     .max = limits::hold.count()},
    {.path = "opens_at", .null = Null::accepted, .rule = instant_rule, .fits = fits_instant},
    {.path = "closes_at", .null = Null::accepted, .rule = instant_rule, .fits = fits_instant},
    {.path = "queue",
     .type = JsonType::object,
     .null = Null::accepted,
     .rule = "null or an object of admit_per_tick and tick_ms"},
    {.path = "queue.admit_per_tick",
     .type = JsonType::integer,
     .need = Need::required,
     .rule = "an integer from 1 to 1000000",
     .min = 1,
     .max = limits::admit_per_tick},
    {.path = "queue.tick_ms",
     .type = JsonType::integer,
     .need = Need::required,
     .rule = "an integer from 10 to 3600000, in milliseconds",
     .min = limits::tick_min.count(),
     .max = limits::tick_max.count()},
    {.path = "standby", .type = JsonType::boolean, .rule = "true or false"},
    {.path = "payment", .rule = "client or auto", .fits = fits_payment},
    {.path = "extend_ms",
     .type = JsonType::integer,
     .rule = "an integer from 0 to 86400000, in milliseconds",
     .max = limits::extend.count()},
});
static_assert(rules_of_a_sale.size() == sale_members && sale_members <= members_max);

enum PatchMember : std::uint8_t {
  patch_stock,
  patch_stock_by,
  patch_closes_at,
  patch_state,
  patch_opens_at,
  patch_limit_per_customer,
  patch_max_open,
  patch_members
};

// A limit above every possible stock would change nothing.
constexpr auto rules_of_a_patch = std::to_array<MemberRule>({
    {.path = "stock", .type = JsonType::integer, .rule = "an integer from 0 to 1000000000", .max = limits::stock},
    {.path = "stock_by",
     .type = JsonType::integer,
     .rule = "an integer from -1000000000 to 1000000000",
     .min = -limits::stock,
     .max = limits::stock},
    {.path = "closes_at", .null = Null::accepted, .rule = instant_rule, .fits = fits_instant},
    {.path = "state", .rule = "open, paused or closed", .fits = fits_said_state},
    {.path = "opens_at", .null = Null::accepted, .rule = instant_rule, .fits = fits_instant},
    {.path = "limit_per_customer",
     .type = JsonType::integer,
     .null = Null::accepted,
     .rule = "null or an integer from 1 to 1000000000",
     .min = 1,
     .max = limits::stock},
    {.path = "max_open",
     .type = JsonType::integer,
     .null = Null::accepted,
     .rule = "null or an integer from 1 to 4294967295",
     .min = 1,
     .max = std::numeric_limits<std::uint32_t>::max()},
});
static_assert(rules_of_a_patch.size() == patch_members);

/// What a kind of sale is like where its body does not say.
struct KindDefaults {
  std::optional<Units> limit_per_customer;
  Milliseconds hold;
  Standby standby;
};

KindDefaults defaults_of(SaleKind kind) {
  switch (kind) {
    case SaleKind::coupon:
      return {1, Milliseconds{0}, Standby::no};
    case SaleKind::ticket:
      return {std::nullopt, Milliseconds{300'000}, Standby::yes};
    case SaleKind::product:
      break;
  }
  return {std::nullopt, Milliseconds{60'000}, Standby::no};
}

std::optional<Instant> instant_of(const JsonValue& value) {
  return value ? net::parse_rfc3339(value.text) : std::nullopt;
}

template <class Integer>
std::optional<Integer> integer_or_nothing(const JsonValue& value) {
  return value ? std::optional(static_cast<Integer>(value.integer)) : std::nullopt;
}

/// The rules between members.
std::optional<BadInput> contradiction(const SaleTerms& terms, const JsonMembers& members) {
  const auto bad = [](std::string_view field, std::string_view detail) {
    return BadInput{Code::invalid_field, field, detail};
  };
  if (terms.opens_at && terms.closes_at && *terms.closes_at <= *terms.opens_at)
    return bad("closes_at", "closes_at must be after opens_at.");
  if (terms.queue && members[standby] && !members[standby].truth)
    return bad("standby", "standby is always true with a queue.");
  if (terms.payment == PaymentMode::automatic && terms.hold.count() == 0)
    return bad("payment", "payment cannot be auto where hold_ms is 0: nothing is paid then.");
  return std::nullopt;
}

}  // namespace

std::span<const MemberRule> sale_rules() { return rules_of_a_sale; }
std::span<const MemberRule> patch_rules() { return rules_of_a_patch; }

std::expected<SaleTerms, BadInput> read_sale(const JsonMembers& members) {
  SaleTerms terms;
  terms.id = members[id].text;
  terms.name = members[name] ? members[name].text : members[id].text;
  if (members[kind]) terms.kind = *read_kind(members[kind].text);
  const KindDefaults defaults = defaults_of(terms.kind);
  terms.stock = members[stock].integer;
  if (members[unit_price]) terms.unit_price = members[unit_price].integer;
  if (members[currency]) terms.currency = members[currency].text;
  if (!members[limit_per_customer].present()) terms.limit_per_customer = defaults.limit_per_customer;
  if (members[limit_per_customer]) terms.limit_per_customer = members[limit_per_customer].integer;
  if (members[max_open]) terms.max_open = static_cast<std::uint32_t>(members[max_open].integer);
  terms.hold = members[hold_ms] ? Milliseconds{members[hold_ms].integer} : defaults.hold;
  terms.opens_at = instant_of(members[opens_at]);
  terms.closes_at = instant_of(members[closes_at]);
  if (members[queue]) {
    terms.queue = QueueTerms{static_cast<std::uint32_t>(members[queue_admit_per_tick].integer),
                             Milliseconds{members[queue_tick_ms].integer}};
  }
  terms.standby = defaults.standby;
  if (members[standby]) terms.standby = members[standby].truth ? Standby::yes : Standby::no;
  if (terms.queue) terms.standby = Standby::yes;
  if (members[payment]) terms.payment = *read_payment_mode(members[payment].text);
  if (members[extend_ms]) terms.extend = Milliseconds{members[extend_ms].integer};
  if (auto bad = contradiction(terms, members)) return std::unexpected(*bad);
  return terms;
}

std::expected<PatchSale, BadInput> read_patch(const JsonMembers& members) {
  PatchSale patch;
  if (members[patch_stock] && members[patch_stock_by])
    return std::unexpected(BadInput{Code::invalid_field, "stock_by", "stock_by cannot be together with stock."});
  if (members[patch_stock]) patch.stock = members[patch_stock].integer;
  if (members[patch_stock_by]) patch.stock_by = members[patch_stock_by].integer;
  if (members[patch_closes_at].present()) patch.closes_at = instant_of(members[patch_closes_at]);
  if (members[patch_state]) patch.state = *read_said_state(members[patch_state].text);
  if (members[patch_opens_at].present()) patch.opens_at = instant_of(members[patch_opens_at]);
  if (members[patch_limit_per_customer].present())
    patch.limit_per_customer = integer_or_nothing<Units>(members[patch_limit_per_customer]);
  if (members[patch_max_open].present()) patch.max_open = integer_or_nothing<std::uint32_t>(members[patch_max_open]);
  return patch;
}

namespace {

/// Cuts a JSON array into the texts of its elements, without judging those. Nothing: it is not an array.
std::optional<std::vector<std::string_view>> elements_of(std::string_view text) {
  constexpr std::string_view space = " \t\r\n";
  const std::size_t first = std::min(text.find_first_not_of(space), text.size());
  const std::size_t last = text.find_last_not_of(space);
  if (first + 1 > text.size() || last <= first || text[first] != '[' || text[last] != ']') return std::nullopt;
  const std::string_view inner = text.substr(first + 1, last - first - 1);
  std::vector<std::string_view> elements;
  if (inner.find_first_not_of(space) == inner.npos) return elements;
  std::size_t begin = 0;
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < inner.size(); ++i) {
    const char c = inner[i];
    if (quoted) {
      if (c == '\\') ++i;
      quoted = c != '"';
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      --depth;
    } else if (c == ',' && depth == 0) {
      elements.push_back(inner.substr(begin, i - begin));
      begin = i + 1;
    }
  }
  elements.push_back(inner.substr(begin));
  return elements;
}

}  // namespace

std::expected<std::vector<SaleTerms>, std::string> sales_from_json(std::string_view text) {
  const auto elements = elements_of(text);
  if (!elements) return std::unexpected("A JSON array of sales is needed.");
  std::vector<SaleTerms> sales;
  JsonMembers members;
  for (const std::string_view element : *elements) {
    const auto at_sale = [&](const BadInput& bad) {
      std::string error = "sale " + std::to_string(sales.size() + 1) + ": ";
      if (bad.code == Code::unknown_field) error.append(bad.field).append(": ");
      return std::unexpected(error.append(bad.detail));
    };
    if (const auto bad = members.read(element, sale_rules())) return at_sale(*bad);
    auto terms = read_sale(members);
    if (!terms) return at_sale(terms.error());
    const auto same_id = [&](const SaleTerms& other) { return other.id == terms->id; };
    if (std::ranges::any_of(sales, same_id))
      return at_sale({Code::invalid_field, "id", "id must not be that of another sale of the file."});
    sales.push_back(std::move(*terms));
  }
  return sales;
}

}  // namespace firstcome::api
