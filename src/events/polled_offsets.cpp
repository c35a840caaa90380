#include "events/polled_offsets.hpp"

#include <algorithm>

namespace firstcome::events {
namespace {

bool is_of_the_same(const net::KafkaRecord& a, const net::KafkaRecord& b) {
  return a.partition == b.partition && a.assignment == b.assignment && a.topic == b.topic;
}

net::KafkaRecord without_text(const net::KafkaRecord& record) {
  net::KafkaRecord place;
  place.topic = record.topic;
  place.partition = record.partition;
  place.offset = record.offset;
  place.assignment = record.assignment;
  return place;
}

}  // namespace

void PolledOffsets::add(const net::KafkaRecord& record, std::uint64_t mark) {
  // From the back: records of one partition come together.
  for (auto at = ahead_.rbegin(); at != ahead_.rend() && at->mark == mark; ++at) {
    if (!is_of_the_same(at->last, record)) continue;
    at->last.offset = record.offset;
    return;
  }
  ahead_.push_back({mark, without_text(record)});
}

void PolledOffsets::stored(std::uint64_t mark) {
  const auto first_ahead = std::ranges::find_if(ahead_, [&](const Polled& one) { return one.mark > mark; });
  for (auto at = ahead_.begin(); at != first_ahead; ++at) {
    net::KafkaRecord& record = at->last;
    const auto known = std::ranges::find_if(stored_, [&](const auto& one) { return is_of_the_same(one, record); });
    if (known != stored_.end()) {
      known->offset = record.offset;
      continue;
    }
    // Of an assignment that is over nothing can be committed any more.
    std::erase_if(stored_, [&](const auto& one) { return one.assignment < record.assignment; });
    stored_.push_back(std::move(record));
  }
  ahead_.erase(ahead_.begin(), first_ahead);
}

}  // namespace firstcome::events
