#include "engine/redis/sale_scripts.hpp"

#include <initializer_list>
#include <string>
#include <string_view>

namespace firstcome::engine {

std::string_view sale_state_lua();
std::string_view sale_line_lua();
std::string_view sale_time_lua();
std::string_view sale_reserve_lua();
std::string_view sale_payment_lua();
std::string_view sale_views_lua();
std::string_view sale_decide_lua();
std::string_view sale_create_lua();
std::string_view sale_registry_lua();

namespace {

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
      script_of({sale_state_lua(), sale_line_lua(), sale_time_lua(), sale_reserve_lua(), sale_payment_lua(),
                 sale_views_lua(), sale_decide_lua()}),
      script_of({sale_registry_lua()}),
  };
  return all;
}

}  // namespace firstcome::engine
