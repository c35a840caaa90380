// What the scripts of a sale reply, for tests in which the test is the server.
#pragma once

#include "engine/redis/binary.hpp"
#include "net/redis/reply.hpp"

#include <initializer_list>
#include <string>
#include <utility>

namespace firstcome::test {

inline net::RedisReply text_reply(std::string text) {
  return {.type = net::RedisReply::Type::text, .text = std::move(text)};
}

inline net::RedisReply array_reply(std::initializer_list<std::string> texts) {
  net::RedisReply reply{.type = net::RedisReply::Type::array};
  for (const std::string& text : texts) reply.elements.push_back(text_reply(text));
  return reply;
}

/// To a call with so many reservations, all of which are accepted.
inline net::RedisReply accepted(std::size_t count, Incarnation incarnation = no_incarnation) {
  engine::BinaryWriter reply;
  reply.number(1'790'000'000'000, 6).number(count, 4).number(0, 1).number(2, 1);
  reply.number(value(incarnation), 4).number(0, 1).signed_number(-1);  // work, nothing due
  reply.number(count, 6).number(0, 6);                                 // the outbox
  for (int i = 0; i < 7; ++i) reply.number(0, 4);                      // counters
  reply.number(0, 1);                                                  // whether it is closed
  for (int i = 0; i < 2; ++i) reply.number(0, 1).signed_number(0);     // closing and opening
  reply.number(0, 6).number(0, 4).number(0, 1).number(0, 6);           // limits, whether it is paused, its revision
  for (std::size_t i = 0; i < count; ++i) {
    reply.number(0, 1)
        .number(i + 1, 4)
        .number(2, 1)
        .number(1'790'000'000'000, 6)
        .number(0, 4)
        .number(0, 6)
        .number(0, 6);
  }
  return text_reply(reply.take());
}

}  // namespace firstcome::test
