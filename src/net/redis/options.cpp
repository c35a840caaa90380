#include "net/redis/options.hpp"

namespace firstcome::net {

RedisTlsOptions RedisTlsOptions::with(const RedisTlsOptions& other) const {
  RedisTlsOptions both = *this;
  if (!other.ca_file.empty()) both.ca_file = other.ca_file;
  if (!other.certificate_file.empty()) both.certificate_file = other.certificate_file;
  if (!other.key_file.empty()) both.key_file = other.key_file;
  if (other.verify == Verify::nobody) both.verify = other.verify;
  return both;
}

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
