#include "engine/redis/sale_scripts.hpp"

#include <initializer_list>
#include <string>
#include <string_view>

namespace firstcome::engine {

std::string_view sale_state_lua();
std::string_view sale_clock_lua();
std::string_view sale_line_lua();
std::string_view sale_time_lua();
std::string_view sale_reserve_lua();
std::string_view sale_payment_lua();
std::string_view sale_terms_lua();
std::string_view sale_views_lua();
std::string_view sale_seldom_lua();
std::string_view sale_decide_lua();
std::string_view sale_create_lua();
std::string_view sale_outbox_lua();
std::string_view sale_registry_lua();
std::string_view sale_past_lua();

namespace {

/// A call makes every function of its script anew, which costs by how many locals each uses and how many are in use:
/// for all of them as much as three reservations. So those that a call with nothing but reservations has no need of
/// stand in this function, and are made where one is wanted.
constexpr std::string_view seldom_begins =
    "local made\n"
    "local function make_seldom()\n";
constexpr std::string_view seldom_ends =
    "end\n"
    "seldom = function()\n"
    "  if not made then made = make_seldom() end\n"
    "  return made\n"
    "end\n";

/// With the flag that keeps a script to the keys that it names.
net::RedisScript script_of(std::initializer_list<std::string_view> parts) {
  std::string text = "#!lua\n";
  for (const std::string_view part : parts) text += part;
  return net::RedisScript(std::move(text));
}

}  // namespace

const SaleScripts& SaleScripts::standard() {
  static const SaleScripts all{
      script_of({sale_state_lua(), sale_create_lua()}),
      script_of({sale_state_lua(), sale_clock_lua(), sale_reserve_lua(), seldom_begins, sale_line_lua(),
                 sale_time_lua(), sale_payment_lua(), sale_terms_lua(), sale_views_lua(), sale_seldom_lua(),
                 seldom_ends, sale_decide_lua()}),
      script_of({sale_state_lua(), sale_outbox_lua()}),
      script_of({sale_registry_lua()}),
      script_of({sale_state_lua(), sale_past_lua()}),
  };
  return all;
}

}  // namespace firstcome::engine
