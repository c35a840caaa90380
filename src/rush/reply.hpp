// What a server's answer says, as far as a customer reads it.
#pragma once

#include "net/http_client.hpp"

#include <firstcome/sale.hpp>
#include <firstcome/types.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace firstcome::rush {

/// A reservation as an answer shows it.
struct ReservationSeen {
  std::string id;
  std::uint64_t number = 0;
  Units quantity = 0;
  std::string customer;
  std::optional<Milliseconds> expires_in;  ///< of a hold, from the answer on
  ReservationState state = ReservationState::queued;
  std::string reason;      ///< empty: null
  std::string payment_id;  ///< empty: not paid
};

struct Reply {
  enum class Kind : std::uint8_t {
    answered,
    unsent,   ///< surely not processed
    unknown,  ///< may have been processed: the connection broke, or no answer came in time
  };
  Kind kind = Kind::unknown;
  unsigned status = 0;
  std::string code;  ///< of a problem, else empty; `malformed-answer` where the answer is none that API.md knows
  std::optional<Milliseconds> retry_after;
  std::optional<ReservationSeen> reservation;
  bool is_replay = false;  ///< the answer to an earlier request, with that answer's times
};

/// Never fails: what cannot be read is `malformed-answer`.
Reply read_reply(const net::ClientResult& result);

/// The time of a Retry-After; nothing where it is no number of seconds. One that is too long to be counted is a year.
std::optional<Milliseconds> read_retry_after(std::string_view text);

/// Returns whether this code of a refusal says what was decided about the request, rather than that it was wrong, not
/// allowed, or not decided at all.
bool is_decision(std::string_view code);

std::optional<ReservationState> read_reservation_state(std::string_view text);

}  // namespace firstcome::rush
