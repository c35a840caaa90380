// A small payment provider for tests, with a ledger of its own: what docs/payment-gateway.md asks of a real one, and
// every way in which one can fail us.
//
// POST /charges, POST /refunds as documented. GET /ledger answers {"charges":
// [{"key","amount","currency","payment_id"}], "declined": [key], "refunds": [key]}. POST /behaviour takes the name of a
// Behaviour as its body. Charges are appended to a file and synced before they are answered, so that they survive any
// end of any process.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace firstcome::payment {

/// Applies to charges and refunds that come from now on.
enum class Behaviour : std::uint8_t {
  good,
  decline,  ///< 402, remembered
  refuse,   ///< records nothing, answers 402 and that no charge was tried
  slow,     ///< records, answers after `delay`
  silent,   ///< records, never answers
  closing,  ///< records, closes the connection without an answer
  garbage,  ///< records, answers 200 with what is not JSON
  binary,   ///< records, answers 200 with a payment_id that holds a zero byte
  error,    ///< records nothing, answers 500
  busy,     ///< records nothing, answers 429
  moved,    ///< records nothing, answers 301
};

struct ProviderOptions {
  std::filesystem::path ledger;  ///< appended to; read at start
  std::uint16_t port = 0;        ///< on 127.0.0.1; 0: a free one
  Behaviour behaviour = Behaviour::good;
  std::chrono::milliseconds delay{};

  enum class KillWhen : std::uint8_t { before_answer, after_answer };
  std::filesystem::path kill_pid_file;  ///< the process to kill stands there; empty: none
  std::uint64_t kill_on = 0;            ///< at the so manieth charge that this run records
  KillWhen kill_when = KillWhen::before_answer;
};

/// Throws std::invalid_argument where there is no such behaviour.
Behaviour behaviour_named(const std::string& name);

/// Thread-safe.
class Provider {
 public:
  explicit Provider(ProviderOptions options);
  /// Cuts all connections.
  ~Provider();

  std::uint16_t port() const;
  void behave(Behaviour behaviour);

  std::size_t charges() const;             ///< keys charged
  std::size_t refunds() const;             ///< keys refunded
  std::size_t requests() const;            ///< charges and refunds that were asked for, repeated ones too
  std::size_t connections() const;         ///< accepted so far
  std::string last_authorization() const;  ///< of the last charge or refund; empty: none was sent
  /// Waits until `requests` is at least that. False after ten seconds.
  bool wait_for_requests(std::size_t count) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace firstcome::payment
