// The words that users see.
#include <firstcome/lock_space.hpp>

#include <cassert>

namespace firstcome {

std::string_view text_of(NotAcquired::Why why) {
  using enum NotAcquired::Why;
  switch (why) {
    case timed_out:
      return "timed-out";
    case stopped:
      return "stopped";
    case full:
      return "full";
    case bad_name:
      return "bad-name";
    case bad_lease:
      return "bad-lease";
    case bad_weight:
      return "bad-weight";
    case bad_capacity:
      return "bad-capacity";
    case not_offered:
      return "not-offered";
    case other_capacity:
      return "other-capacity";
    case unavailable:
      return "unavailable";
    case denied:
      return "denied";
    case wrong_type:
      return "wrong-type";
    case read_only:
      return "read-only";
    case broken:
      return "broken";
    case closed:
      return "closed";
  }
  assert(!"no such reason");
  return "";
}

std::string_view text_of(ReleaseOutcome outcome) {
  switch (outcome) {
    case ReleaseOutcome::released:
      return "released";
    case ReleaseOutcome::lost:
      return "lost";
    case ReleaseOutcome::unknown:
      return "unknown";
  }
  assert(!"no such outcome");
  return "";
}

std::string_view text_of(FreeOutcome outcome) {
  switch (outcome) {
    case FreeOutcome::freed:
      return "freed";
    case FreeOutcome::not_held:
      return "not-held";
    case FreeOutcome::other_token:
      return "other-token";
    case FreeOutcome::not_offered:
      return "not-offered";
  }
  assert(!"no such outcome");
  return "";
}

std::string_view text_of(ShrinkOutcome outcome) {
  switch (outcome) {
    case ShrinkOutcome::shrunk:
      return "shrunk";
    case ShrinkOutcome::lost:
      return "lost";
    case ShrinkOutcome::unknown:
      return "unknown";
  }
  assert(!"no such outcome");
  return "";
}

std::string_view text_of(RenewOutcome outcome) {
  switch (outcome) {
    case RenewOutcome::renewed:
      return "renewed";
    case RenewOutcome::lost:
      return "lost";
    case RenewOutcome::unknown:
      return "unknown";
  }
  assert(!"no such outcome");
  return "";
}

}  // namespace firstcome
