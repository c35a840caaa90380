// The endpoints of sales.
#include "api/call.hpp"
#include "api/handlers.hpp"
#include "api/sale_body.hpp"
#include "api/text_rules.hpp"
#include "api/views_json.hpp"

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

void answer(Call& call) {
  const auto& said = call.said<SaleAnswer>();
  if (!is_yes(said.outcome)) return call.refuse(code_of(said.outcome));
  write(call, said.sale);
  call.respond(200);
}

void answer_create(Call& call) {
  const auto& said = call.said<SaleAnswer>();
  if (!is_yes(said.outcome)) return call.refuse(code_of(said.outcome));
  write(call, said.sale);
  const std::string location = "/v1/sales/" + said.sale.terms.id;
  const net::HttpField field{"Location", location};
  call.respond(said.outcome == Outcome::done ? 201 : 200, {&field, 1});
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

void send_patch(Call& call) {
  PatchSale patch = read_patch(call.members);
  patch.sale = call.parameter;
  call.ask(std::move(patch), answer);
}

/// A new end must be after the beginning, which never changes, so that nothing can come between look and command.
void patch_known_sale(Call& call) {
  const auto& said = call.said<SaleAnswer>();
  if (!is_yes(said.outcome)) return call.refuse(code_of(said.outcome));
  const auto opens_at = said.sale.terms.opens_at;
  const PatchSale patch = read_patch(call.members);
  if (opens_at && patch.closes_at && *patch.closes_at && **patch.closes_at <= *opens_at)
    return call.refuse(BadInput{Code::invalid_field, "closes_at", "closes_at must be after opens_at."});
  send_patch(call);
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
      bad = BadInput{Code::invalid_field, bad->field, "Only stock, closes_at and state can be changed."};
    return call.refuse(*bad);
  }
  if (!names_a_sale(call)) return;
  if (read_patch(call.members).closes_at) return call.ask(GetSale{std::string(call.parameter)}, patch_known_sale);
  send_patch(call);
}

void delete_sale(Call& call) {
  if (names_a_sale(call)) call.ask(DeleteSale{std::string(call.parameter)}, answer_delete);
}

}  // namespace firstcome::api
