#include "net/redis/options.hpp"

namespace firstcome::net {

RedisCounters& RedisCounters::operator+=(const RedisCounters& other) {
  commands += other.commands;
  replies += other.replies;
  refused += other.refused;
  not_sent += other.not_sent;
  unknown += other.unknown;
  timed_out += other.timed_out;
  bytes_sent += other.bytes_sent;
  bytes_received += other.bytes_received;
  connects += other.connects;
  failed_connects += other.failed_connects;
  scripts_by_text += other.scripts_by_text;
  redirects += other.redirects;
  refreshes += other.refreshes;
  messages += other.messages;
  return *this;
}

}  // namespace firstcome::net
