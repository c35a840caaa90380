// The endpoints of sales.
#include "api/call.hpp"
#include "api/etag.hpp"
#include "api/handlers.hpp"
#include "api/sale_body.hpp"
#include "api/text_rules.hpp"
#include "api/views_json.hpp"

#include <array>
#include <optional>

namespace firstcome::api {

namespace {

bool is_yes(Outcome outcome) { return outcome == Outcome::done || outcome == Outcome::unchanged; }

/// Numbers are told as Incarnations says.
void write(net::JsonWriter& json, Call& call, SaleView& sale) {
  sale.serving = call.context().ids.told({sale.handle, sale.serving});
  write_sale(json, sale, call.context().engine.name());
}

void write(Call& call, SaleView sale) {
  net::JsonWriter json(call.out);
  write(json, call, sale);
}

void respond(Call& call, unsigned status, const SaleView& sale) {
  write(call, sale);
  const std::string etag = etag_of(sale);
  const std::string location = "/v1/sales/" + sale.terms.id;
  const std::array<net::HttpField, 2> fields{net::HttpField{"ETag", etag}, net::HttpField{"Location", location}};
  const bool is_of_create = std::holds_alternative<CreateSale>(call.command);
  call.respond(status, std::span(fields).first(is_of_create ? 2 : 1));
}

void answer(Call& call) {
  const auto& said = call.said<SaleAnswer>();
  if (!is_yes(said.outcome)) return call.refuse(code_of(said.outcome));
  respond(call, 200, said.sale);
}

void answer_create(Call& call) {
  const auto& said = call.said<SaleAnswer>();
  if (!is_yes(said.outcome)) return call.refuse(code_of(said.outcome));
  respond(call, said.outcome == Outcome::done ? 201 : 200, said.sale);
}

void answer_list(Call& call) {
  auto said = call.take<SalesAnswer>();
  if (!is_yes(said.outcome)) return call.refuse(code_of(said.outcome));
  net::JsonWriter json(call.out);
  json.begin_object();
  json.key("items");
  json.begin_array();
  for (SaleView& sale : said.items) write(json, call, sale);
  json.end_array();
  json.key("next");
  said.next.empty() ? json.null() : json.string(said.next);
  json.end_object();
  call.respond(200);
}

void answer_delete(Call& call) {
  const auto& said = call.said<SaleAnswer>();
  if (!is_yes(said.outcome)) return call.refuse(code_of(said.outcome));
  call.respond(204);
}

/// Answers `sale-not-found` where the path cannot be a sale's id.
bool names_a_sale(Call& call) {
  if (fits_sale_id(call.parameter)) return true;
  call.refuse(Code::sale_not_found);
  return false;
}

/// Why the engine does not make a change, where that is a matter of the body's members.
std::optional<BadInput> bad_change(Outcome outcome, const PatchSale& patch) {
  const auto bad = [](std::string_view field, std::string_view detail) {
    return BadInput{Code::invalid_field, field, detail};
  };
  switch (outcome) {
    case Outcome::not_scheduled:
      return bad(patch.opens_at             ? "opens_at"
                 : patch.limit_per_customer ? "limit_per_customer"
                                            : "max_open",
                 "This member can be changed only until the sale opens.");
    case Outcome::contradicting_terms:
      return bad(patch.closes_at ? "closes_at" : "opens_at", "closes_at must be after opens_at.");
    case Outcome::stock_too_large:
      return bad("stock_by", "The stock would be more than 1000000000.");
    default:
      return std::nullopt;
  }
}

void answer_patch(Call& call) {
  const auto& said = call.said<SaleAnswer>();
  if (is_yes(said.outcome)) return respond(call, 200, said.sale);
  if (const auto bad = bad_change(said.outcome, std::get<PatchSale>(call.command))) return call.refuse(*bad);
  const ProblemMember in_use{"in_use", said.sale.held + said.sale.sold};
  call.refuse(code_of(said.outcome), {.members = {&in_use, said.outcome == Outcome::stock_in_use ? 1U : 0U}});
}

void send_patch(Call& call, std::optional<std::uint64_t> if_revision) {
  PatchSale patch = *read_patch(call.members);
  patch.sale = call.parameter;
  patch.if_revision = if_revision;
  call.ask(std::move(patch), answer_patch);
}

/// The tag is compared here, the revision by the engine: so nothing can come between look and command.
void patch_sale_as_seen(Call& call) {
  const auto& said = call.said<SaleAnswer>();
  if (!is_yes(said.outcome)) return call.refuse(code_of(said.outcome));
  if (!if_match_allows(call.request().if_match, etag_of(said.sale))) return call.refuse(Code::sale_changed);
  send_patch(call, said.sale.revision);
}

}  // namespace

void create_sale(Call& call) {
  if (!call.read_body(sale_rules(), EmptyBody::refused)) return;
  auto terms = read_sale(call.members);
  if (!terms) return call.refuse(terms.error());
  call.ask(CreateSale{std::move(*terms)}, answer_create);
}

void list_sales(Call& call) { call.ask(ListSales{call.query.after, call.query.limit}, answer_list); }

void get_sale(Call& call) {
  if (names_a_sale(call)) call.ask(GetSale{std::string(call.parameter)}, answer);
}

void patch_sale(Call& call) {
  if (auto bad = call.look_at_body(patch_rules(), EmptyBody::refused)) {
    // Whatever else a sale has is known, but fixed.
    if (bad->code == Code::unknown_field)
      bad = BadInput{Code::invalid_field, bad->field,
                     "Only stock, stock_by, closes_at and state can be changed; until the sale opens also "
                     "opens_at, limit_per_customer and max_open."};
    return call.refuse(*bad);
  }
  if (const auto patch = read_patch(call.members); !patch) return call.refuse(patch.error());
  if (!names_a_sale(call)) return;
  if (call.request().if_match.empty()) return send_patch(call, std::nullopt);
  call.ask(GetSale{std::string(call.parameter)}, patch_sale_as_seen);
}

void delete_sale(Call& call) {
  if (names_a_sale(call)) call.ask(DeleteSale{std::string(call.parameter)}, answer_delete);
}

}  // namespace firstcome::api
