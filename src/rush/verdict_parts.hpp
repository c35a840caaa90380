// The parts of a verdict that look at units and at order; `judge` puts them together. Pure.
#pragma once

#include "rush/heard.hpp"
#include "rush/verdict.hpp"

#include <span>
#include <string>

namespace firstcome::rush {

/// Names a reservation for a finding, with its number, state and units.
std::string shown(const TrueReservation& reservation);

/// Counts units that were held or sold beyond the stock: by the sale's own sums, by its list of reservations, by what
/// customers were told in the end, and by what they were told at any one moment.
void count_oversold(const Heard& heard, const Truth& truth, Verdict& verdict);

/// Counts units that are left although a customer who was told to wait, to try again, or that too few are left would
/// have taken them.
void count_undersold(std::span<const Told> told, const Truth& truth, Verdict& verdict);

/// Counts units of holds that should have ended before nothing changed any more.
void count_never_ending(const Heard& heard, const Truth& truth, Verdict& verdict);

/// Counts refusals whose reason the sale itself contradicts: a limit that the customer has not reached, or hours in
/// which the sale was open.
void count_refused_wrongly(std::span<const Told> told, const Truth& truth, Verdict& verdict);

/// Counts customers who were told that nothing, or too little, was left before others asked for no less and got it,
/// where nothing had come back.
void count_refused_too_soon(std::span<const Told> told, const Heard& heard, const Truth& truth, Verdict& verdict);

/// Counts customers with more units than the sale allows one: in the end, or as they were told at any one moment.
void count_over_limit(const Heard& heard, const Truth& truth, Verdict& verdict);

/// Counts requests that were sent after a later number had been told.
void count_overtaken(const Heard& heard, Verdict& verdict);

void count_granted_out_of_order(const Truth& truth, Verdict& verdict);

}  // namespace firstcome::rush
