// The sales of `serve --sales FILE`: those that are missing are created, the others are compared.
#pragma once

#include "engine/driven_engine.hpp"

#include <firstcome/sale.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace firstcome::cli {

/// What becomes of a start at which the file says other terms than the store.
enum class OtherTerms : std::uint8_t { are_warned_of, refuse_the_start };

/// Creates the sales of the file that the store does not have. Terms that differ are told in the log, one line for
/// each; the stored ones stay. Where other terms refuse the start, nothing is created then. Takes the engine's turns
/// itself. REQUIRES: nobody serves yet. Returns an exit code.
int create_sales(engine::DrivenEngine& engine, const std::string& path, OtherTerms other_terms);

/// Tells in what the stored terms of a sale differ from those of a file: one sentence for each member.
std::vector<std::string> differing_terms(const SaleTerms& file, const SaleTerms& stored);

}  // namespace firstcome::cli
