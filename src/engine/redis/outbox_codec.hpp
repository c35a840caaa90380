// What sale_outbox.lua is asked and answers, and where a sale's counters tell of its outbox. Pure: no I/O.
#pragma once

#include "engine/redis/sale_codec.hpp"
#include "net/redis/reply.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::engine {

/// As many as the server joins with their reservations in about a millisecond.
inline constexpr std::uint32_t outbox_page = 500;

/// Of a sale's fields `m` and `w`. Nothing: there is no such sale.
std::optional<SaleOutboxMarks> read_marks(std::string_view counters, std::string_view watermark);

/// Asks for what comes after an event, or behind the watermark; at most outbox_page events.
net::RedisCommand read_command(const SaleKeys& keys, std::string_view store, std::optional<std::uint64_t> after,
                               std::uint32_t limit);

struct OutboxPage {
  SaleOutboxMarks marks;
  std::uint64_t oldest = 0;
  std::vector<EventView> items;
  StockLevel level;
};
/// The incarnation of the sale that held when the page was read.
Incarnation incarnation_in(const net::RedisReply& reply);
/// Nothing: that is no answer.
std::optional<OutboxPage> read_outbox_page(const net::RedisReply& reply, const KnownSale& sale);

/// Moves the watermark. REQUIRES: keep from 1.
net::RedisCommand deliver_command(const SaleKeys& keys, std::string_view store, const DeliverEvents& command,
                                  std::uint64_t keep);

struct Delivered {
  DeliveredAnswer answer;
  SaleOutboxMarks marks;
};
std::optional<Delivered> read_delivered(const net::RedisReply& reply);

}  // namespace firstcome::engine
