// What the store has lost of its past, and that an operator has dealt with it.
#include "api/call.hpp"
#include "api/handlers.hpp"
#include "api/text_rules.hpp"
#include "net/json_fields.hpp"

#include <fmt/format.h>

#include <array>

namespace firstcome::api {

namespace {

constexpr auto settle_rules = std::to_array<MemberRule>({
    {.path = "by", .need = Need::required, .rule = "1 to 128 bytes without control characters", .fits = fits_customer},
    {.path = "reason",
     .need = Need::required,
     .rule = "1 to 200 characters without control characters",
     .fits = fits_sale_name},
});

/// Null where nothing of it is lost.
void write_range(net::JsonWriter& json, const char* name, std::uint64_t from, std::uint64_t upto) {
  json.key(name);
  if (from > upto) return json.null();
  json.begin_object();
  net::count(json, "from", from);
  net::count(json, "upto", upto);
  json.end_object();
}

void write_loss(net::JsonWriter& json, const Loss& loss) {
  json.begin_object();
  net::text(json, "sale", loss.sale_id);
  net::text(json, "incarnation", fmt::format("{:08x}", value(loss.incarnation)));
  write_range(json, "numbers", loss.number_from, loss.number_upto);
  write_range(json, "sequences", loss.sequence_from, loss.sequence_upto);
  net::text(json, "witness", loss.witness);
  json.key("found_at");
  json.instant(loss.found_at);
  json.key("settled");
  if (loss.settled) {
    json.begin_object();
    json.key("at");
    json.instant(loss.settled->at);
    net::text(json, "by", loss.settled->by);
    net::text(json, "reason", loss.settled->reason);
    json.end_object();
  } else {
    json.null();
  }
  json.end_object();
}

void answer(Call& call) {
  const auto said = call.take<LossesAnswer>();
  net::JsonWriter json(call.out);
  json.begin_object();
  json.key("items");
  json.begin_array();
  for (const Loss& loss : said.items) write_loss(json, loss);
  json.end_array();
  json.end_object();
  call.respond(200);
}

}  // namespace

void list_losses(Call& call) { call.ask(ListLosses{}, answer); }

void settle_losses(Call& call) {
  if (!call.read_body(settle_rules, EmptyBody::refused)) return;
  call.ask(SettleLosses{std::string(call.members[0].text), std::string(call.members[1].text)}, answer);
}

}  // namespace firstcome::api
