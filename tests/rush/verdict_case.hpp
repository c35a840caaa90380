// A sale and a crowd that are in order, for tests that break one promise at a time.
#pragma once

#include "rush/verdict.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace firstcome::rush::testing {

using State = ReservationState;

inline std::string id(std::uint64_t number) { return "r" + std::to_string(number); }

/// A click that was told of the reservation with that number, sent and answered at these times.
inline Told yes(std::uint32_t customer, std::uint64_t number, State state, std::int64_t sent, std::int64_t answered) {
  Told told;
  told.customer = told.request = customer;
  told.word = state == State::queued ? Word::waiting : Word::yes;
  told.reservation = id(number);
  told.number = number;
  told.state = state;
  told.sent_at = Moment{sent};
  told.answered_at = Moment{answered};
  return told;
}

/// Three customers, three units: the first two have one each, the third was told to wait, and never paid.
struct Case {
  std::vector<Told> told;
  Truth truth;

  Case() {
    for (std::uint32_t customer = 0; customer < 3; ++customer) {
      std::uint64_t number = customer + 1;
      told.push_back(yes(customer, number, State::confirmed, customer * 10, customer * 10 + 5));
      truth.reservations.push_back({.id = id(number),
                                    .customer = customer,
                                    .number = number,
                                    .quantity = 1,
                                    .state = State::confirmed,
                                    .expires_at_ms = 1'000 + customer});
    }
    told[2].state = State::held;
    truth.reservations[2].state = State::expired;
    SaleSeen sale;
    sale.id = "s";
    sale.state = "open";
    sale.stock = 3;
    sale.available = 1;
    sale.sold = 2;
    sale.limit_per_customer = 1;
    truth.before = sale;
    truth.left = truth.after = sale;
    truth.audit.ok = true;
  }

  Verdict judged() const { return judge(told, truth); }

  Told& refused(std::uint32_t customer, const std::string& code) {
    Told click;
    click.customer = customer;
    click.request = customer;
    click.word = Word::no;
    click.code = code;
    return told.emplace_back(click);
  }
  TrueReservation& also(std::uint32_t customer, std::uint64_t number, State state) {
    TrueReservation more{.id = id(number),
                         .customer = customer,
                         .number = number,
                         .quantity = 1,
                         .state = state,
                         .expires_at_ms = std::nullopt};
    return truth.reservations.emplace_back(more);
  }
};

/// Expects that `broken` was found so many times, and nothing else; nothing at all where `broken` is null.
inline void expect_only(const Verdict& verdict, const Finding Verdict::* broken, std::uint64_t count) {
  const std::vector<std::pair<const char*, const Finding Verdict::*>> all{
      {"oversold", &Verdict::oversold},
      {"undersold", &Verdict::undersold},
      {"lost", &Verdict::lost},
      {"duplicated", &Verdict::duplicated},
      {"order", &Verdict::out_of_order},
      {"limit", &Verdict::over_limit},
      {"refused wrongly", &Verdict::refused_wrongly},
      {"altered", &Verdict::altered},
      {"equation", &Verdict::equation},
      {"audit", &Verdict::audit},
      {"no order", &Verdict::no_order}};
  for (const auto& [name, finding] : all)
    EXPECT_EQ((verdict.*finding).count, finding == broken ? count : 0)
        << name << ": " << ::testing::PrintToString((verdict.*finding).first);
  EXPECT_EQ(verdict.kept(), broken == nullptr);
}

}  // namespace firstcome::rush::testing
