// The feed of events, and what operators ask.
#include "api/call.hpp"
#include "api/handlers.hpp"
#include "api/openapi.hpp"
#include "api/views_json.hpp"

namespace firstcome::api {

namespace {

void answer_events(Call& call) {
  const auto said = call.take<EventsAnswer>();
  if (said.outcome != Outcome::done) return call.refuse(code_of(said.outcome));
  net::JsonWriter json(call.out);
  json.begin_object();
  json.key("items");
  json.begin_array();
  for (const EventView& event : said.items) write_event(json, event, call.context().ids);
  json.end_array();
  json.key("next");
  said.next == 0 ? json.null() : json.string(std::to_string(said.next));
  json.key("oldest");
  said.oldest == 0 ? json.null() : json.unsigned_integer(said.oldest);
  json.end_object();
  call.respond(200);
}

}  // namespace

void list_events(Call& call) {
  call.ask(ReadEvents{call.query.sale, call.query.after_as_number, call.query.limit}, answer_events);
}

void healthz(Call& call) {
  call.out = R"({"status":"ok"})";
  call.respond(200);
}

void readyz(Call& call) {
  const Readiness readiness = call.context().engine.readiness();
  if (!readiness.ready) return call.refuse(Code::store_unavailable, {.detail = readiness.reason});
  net::JsonWriter json(call.out);
  json.begin_object();
  json.key("status");
  json.string("ready");
  if (!readiness.reason.empty()) {
    json.key("warning");
    json.string(readiness.reason);
  }
  const auto& ask = call.context().held_back;
  if (const std::string held_back = ask ? ask() : std::string(); !held_back.empty()) {
    json.key("held_back");
    json.string(held_back);
  }
  json.end_object();
  call.respond(200);
}

void metrics(Call& call) {
  call.out = call.context().metrics.text();
  call.respond_with(200, "text/plain; version=0.0.4; charset=utf-8");
}

void openapi(Call& call) {
  call.out = openapi_yaml();
  call.respond_with(200, "application/yaml");
}

}  // namespace firstcome::api
