// What went wrong in one statement, and whose fault it is. Thrown and caught inside this folder.
#pragma once

#include "events/orders/order_store.hpp"

#include <cstdint>
#include <string>
#include <utility>

namespace firstcome::events {

struct SqlFailure {
  enum class Fault : std::uint8_t {
    content,   ///< of what was to be written
    doubtful,  ///< an error that is not known: taken to be of the content: the database takes the event among the
               ///< failed ones, which are tried again
    database,
  };
  Fault fault = Fault::database;
  Trouble::Kind kind = Trouble::Kind::other;  ///< of the database
  std::string sentence;

  static SqlFailure content(std::string sentence) {
    return {Fault::content, Trouble::Kind::other, std::move(sentence)};
  }
  static SqlFailure doubtful(std::string sentence) {
    return {Fault::doubtful, Trouble::Kind::other, std::move(sentence)};
  }
  static SqlFailure database(Trouble::Kind kind, std::string sentence) {
    return {Fault::database, kind, std::move(sentence)};
  }
};

}  // namespace firstcome::events
