// The past of a sale as its hash keeps it: see sale_past.lua. Pure: no I/O.
#pragma once

#include "engine/past.hpp"

#include <firstcome/past_command.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::engine {

/// How far a sale has counted, and when. All its events may have been delivered.
struct ReachedAt : Reached {
  Instant now;
};
/// `counters` is the field 'm'. Nothing: that are none.
std::optional<ReachedAt> read_reached(std::string_view counters);

/// As sale_past.lua and sale_create.lua write them. Nothing: that are no eras.
std::optional<std::vector<Era>> read_eras(std::string_view text, SaleHandle sale);
std::string pack_era(const Era& era);

/// `sale` and `sale_id` are not part of the text. Nothing: that are no losses.
std::optional<std::vector<Loss>> read_losses(std::string_view text, const Loss& of_sale);
std::string pack_losses(const std::vector<Loss>& losses);

}  // namespace firstcome::engine
