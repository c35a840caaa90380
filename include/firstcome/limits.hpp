// Every limit in one place, and how they relate. Those that a run may change are settings of the command line; their
// defaults stand here too.
#pragma once

#include <firstcome/types.hpp>

#include <cstddef>
#include <cstdint>

namespace firstcome::limits {

// --- what a request may carry (API.md) ---
inline constexpr std::size_t sale_id_bytes = 64;
inline constexpr std::size_t sale_name_characters = 200;
inline constexpr std::size_t customer_bytes = 128;
inline constexpr std::size_t reference_bytes = 128;
inline constexpr std::size_t payment_id_bytes = 128;
inline constexpr std::size_t idempotency_key_bytes = 255;
inline constexpr Units stock = 1'000'000'000;
inline constexpr Units quantity = 1'000'000;
inline constexpr Money unit_price = 1'000'000'000'000;
inline constexpr Money amount = (Money{1} << 53) - 1;  ///< what a JSON number holds exactly
inline constexpr Milliseconds hold = std::chrono::days{7};
inline constexpr Milliseconds extend = std::chrono::days{1};
inline constexpr std::uint32_t admit_per_tick = 1'000'000;
inline constexpr Milliseconds tick_min{10};
inline constexpr Milliseconds tick_max{3'600'000};
inline constexpr std::uint32_t page_default = 100;
inline constexpr std::uint32_t page_max = 1'000;

// --- the ledger ---
inline constexpr unsigned number_bits = 32;      ///< numbers of one sale, kept in memory as 32 bits
inline constexpr unsigned row_number_bits = 40;  ///< of a stored row's id; the rest is the sale's handle
inline constexpr std::chrono::hours key_lifetime{24};
// The reservations of a closed sale leave memory so long after it was closed, where nobody has named one for a while.
inline constexpr std::chrono::hours closed_sale_in_memory{24};
inline constexpr std::chrono::minutes idle_sale_in_memory{10};
/// Reservations of such sales that are in memory again because somebody named one, about half a gigabyte; beyond it the
/// longest idle sale leaves at once. A sale that has more comes alone.
inline constexpr std::uint64_t brought_back = 4'000'000;
inline constexpr std::size_t refusals_remembered = 1'000'000;
inline constexpr std::chrono::minutes refusal_lifetime{10};
inline constexpr Milliseconds payment_grace{10'000};  ///< how long a hold that is being charged outlives its end
/// Reservations of one customer that are looked at to find one among them; a command that needs more is refused.
inline constexpr std::size_t chain_steps = 1'000;
inline constexpr std::uint64_t audit_customers_reservations = 1'000'000;

// --- the engine ---
inline constexpr std::size_t queue_operations = 65'536;  ///< waiting to be decided; one more is `overloaded`
inline constexpr std::size_t turn_operations = 4'096;    ///< decided in one turn, committed together
inline constexpr std::size_t turn_steps = 4'096;         ///< ends of holds, grants, refusals of one turn
inline constexpr std::size_t turn_list_bytes = 1 << 20;  ///< of lists answered in one turn; others wait for the next
inline constexpr std::size_t turn_rows = 1'024;          ///< read in one turn of sales that are brought back
inline constexpr std::size_t sales_brought_back_at_once = 16;
inline constexpr std::size_t wait_for_a_sale = 4'096;  ///< operations; one more is `overloaded`
inline constexpr Milliseconds clock_look{1'000};       ///< how often an engine that waits looks at the clocks
inline constexpr std::uint64_t outbox_keep = 100'000;  ///< delivered events that stay for those who read the feed
inline constexpr std::uint64_t outbox_undelivered = 10'000'000;  ///< with so many, nothing more is sold

// --- locks ---
inline constexpr std::size_t lock_name_bytes = 512;
inline constexpr Milliseconds lock_lease = std::chrono::days{365};
inline constexpr std::uint32_t lock_permits = 1U << 20U;  ///< of a semaphore; a read-write lock has as many readers
inline constexpr Milliseconds lock_wait{60'000};          ///< of one request to the lock service
inline constexpr std::size_t locks_waiting = 65'536;      ///< at the lock service; one more is `overloaded`
inline constexpr std::size_t locks_held = 1'000'000;      ///< at the lock service; one more is `overloaded`
inline constexpr std::size_t lock_lease_id_least = 16;    ///< characters of a lease's name at the lock service
inline constexpr std::size_t lock_lease_id_most = 64;

// --- HTTP ---
inline constexpr std::size_t header_bytes = 8'192;
inline constexpr std::size_t target_bytes = 2'048;
inline constexpr std::size_t body_bytes = 65'536;
inline constexpr std::size_t json_depth = 8;
inline constexpr std::size_t connections = 20'000;
inline constexpr std::chrono::seconds header_deadline{10};  ///< from the first byte of a request to its last header
inline constexpr std::chrono::seconds body_deadline{30};
inline constexpr std::chrono::seconds idle_deadline{75};
inline constexpr std::chrono::seconds write_deadline{30};  ///< for a client that does not read
inline constexpr std::chrono::seconds drain_deadline{4};   ///< of a shutdown

static_assert(number_bits <= row_number_bits);
static_assert(closed_sale_in_memory >= key_lifetime);  // who repeats a key needs its reservation
static_assert(quantity <= stock);
static_assert(wait_for_a_sale <= queue_operations);
static_assert(body_bytes >= 4 * (customer_bytes + reference_bytes));
static_assert(turn_operations <= queue_operations);
static_assert(page_default <= page_max);
static_assert(tick_min <= tick_max);
static_assert(target_bytes < header_bytes);

}  // namespace firstcome::limits
