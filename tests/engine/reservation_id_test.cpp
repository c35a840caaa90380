#include "engine/reservation_id.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <cstring>
#include <string>

namespace firstcome::engine {
namespace {

StoreSecret secret_of(std::uint8_t fill) {
  StoreSecret secret;
  secret.fill(fill);
  return secret;
}

std::string text_of(const ReservationIdText& id) { return {id.data(), id.size()}; }

TEST(ReservationId, ReadsWhatItWrote) {
  ReservationIds ids(secret_of(1));
  for (const ReservationRef ref :
       {ReservationRef{SaleHandle{1}, Number{1}}, ReservationRef{SaleHandle{77}, Number{4'294'967'295}},
        ReservationRef{SaleHandle{~0ULL}, Number{~0ULL}}}) {
    const std::string text = text_of(ids.encode(ref));
    EXPECT_EQ(text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
              std::string::npos);
    EXPECT_EQ(ids.decode(text), ref);
  }
}

TEST(ReservationId, CarriesTheFirstTwelveBytesOfTheHmac) {
  const StoreSecret secret = secret_of(9);
  ReservationIds ids(secret);
  const std::string text = text_of(ids.encode({SaleHandle{2}, Number{3}}));
  const unsigned char message[16] = {0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3};
  unsigned char expected[32];
  unsigned int size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), message, sizeof message, expected, &size);

  std::string padded = text + "==";
  for (char& c : padded) c = c == '-' ? '+' : c == '_' ? '/' : c;
  unsigned char bytes[32];
  ASSERT_GT(
      EVP_DecodeBlock(bytes, reinterpret_cast<const unsigned char*>(padded.data()), static_cast<int>(padded.size())),
      0);
  EXPECT_EQ(std::memcmp(bytes, message, 16), 0);
  EXPECT_EQ(std::memcmp(bytes + 16, expected, 12), 0);
}

TEST(ReservationId, RefusesEveryTextThatDiffersInOneCharacter) {
  ReservationIds ids(secret_of(1));
  const std::string good = text_of(ids.encode({SaleHandle{5}, Number{6}}));
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const char c : {'A', 'B', '_', '-', '9', '+', '=', '\0'}) {
      std::string other = good;
      other[at] = c;
      if (other == good) continue;
      EXPECT_FALSE(ids.decode(other)) << other;
    }
  }
}

TEST(ReservationId, RefusesOtherLengthsAndOtherStores) {
  ReservationIds ids(secret_of(1));
  const std::string good = text_of(ids.encode({SaleHandle{5}, Number{6}}));
  EXPECT_FALSE(ids.decode(""));
  EXPECT_FALSE(ids.decode(good.substr(1)));
  EXPECT_FALSE(ids.decode(good + "A"));
  EXPECT_FALSE(ReservationIds(secret_of(2)).decode(good));
}

ReservationIds ids_of(const Incarnations& incarnations) {
  return ReservationIds(std::make_shared<StoreIdentity>(secret_of(1), incarnations));
}

TEST(ReservationId, IsReadWithItsIncarnation) {
  Incarnations incarnations;
  incarnations.begin(Incarnation{0xabcdef01}, SaleHandle{1});
  ReservationIds ids = ids_of(incarnations);
  for (const ReservationRef ref :
       {ReservationRef{SaleHandle{1}, Number{1}}, ReservationRef{SaleHandle{~0ULL}, Number{(1ULL << 40U) - 1}}}) {
    const std::string text = text_of(ids.encode(ref));
    EXPECT_EQ(text.size(), reservation_id_length);
    EXPECT_EQ(ids.decode(text), ref);
    EXPECT_EQ(ids.read(text)->told, (ToldNumber{Incarnation{0xabcdef01}, value(ref.number)}));
  }
}

TEST(ReservationId, OfAStoreFromBeforeThereWereIncarnationsStaysWhatItWas) {
  const ReservationRef old{SaleHandle{2}, Number{3}};
  const std::string before = text_of(ReservationIds(secret_of(1)).encode(old));
  Incarnations incarnations;
  incarnations.begin(Incarnation{9}, SaleHandle{3});
  incarnations.begin(Era{SaleHandle{2}, 3, 8, Incarnation{9}, 0, 0});
  ReservationIds ids = ids_of(incarnations);
  EXPECT_EQ(text_of(ids.encode(old)), before);
  EXPECT_EQ(ids.decode(before), old);
  const std::string after = text_of(ids.encode({SaleHandle{2}, Number{4}}));
  EXPECT_EQ(after.size(), reservation_id_length);
  EXPECT_EQ(after.substr(0, reservation_id_of_sale), before.substr(0, reservation_id_of_sale));
}

TEST(ReservationId, OfOneIncarnationIsNoneOfAnother) {
  Incarnations before;
  before.begin(Incarnation{1}, SaleHandle{1});
  Incarnations after;
  after.begin(Incarnation{2}, SaleHandle{1});
  const ReservationRef ref{SaleHandle{1}, Number{3}};
  const std::string given_before = text_of(ids_of(before).encode(ref));
  EXPECT_NE(given_before, text_of(ids_of(after).encode(ref)));
  EXPECT_FALSE(ids_of(after).decode(given_before));
  EXPECT_TRUE(ids_of(after).read(given_before)) << "it is one of this store, though of another past";
}

TEST(ReservationId, FollowsAnIncarnationThatBeginsWhileItIsUsed) {
  const auto identity = std::make_shared<StoreIdentity>(secret_of(1));
  ReservationIds ids(identity);
  const ReservationRef ref{SaleHandle{1}, Number{3}};
  const std::string before = text_of(ids.encode(ref));
  Incarnations incarnations;
  incarnations.begin(Era{SaleHandle{1}, 2, 5, Incarnation{7}, 10, 0});
  identity->set(incarnations);
  EXPECT_NE(text_of(ids.encode(ref)), before);
  EXPECT_EQ(ids.told(ref), Number{13});
  EXPECT_FALSE(ids.decode(before));
}

TEST(HashKey, TellsItsPartsApart) {
  EXPECT_EQ(hash_key("a", "s", "k"), hash_key("a", "s", "k"));
  EXPECT_NE(hash_key("ab", "c", "k"), hash_key("a", "bc", "k"));
  EXPECT_NE(hash_key("a", "s", "kk"), hash_key("a", "sk", "k"));
  EXPECT_NE(hash_key("a", "s", "k"), hash_key("b", "s", "k"));
  EXPECT_TRUE(static_cast<bool>(hash_key("", "", "k")));
}

TEST(HashKey, IsWhatItSays) {
  // SHA-256 of 00000001 61 00000001 73 00000001 6b.
  const unsigned char text[] = {0, 0, 0, 1, 'a', 0, 0, 0, 1, 's', 0, 0, 0, 1, 'k'};
  unsigned char digest[32];
  unsigned int size = 0;
  ASSERT_EQ(EVP_Digest(text, sizeof text, digest, &size, EVP_sha256(), nullptr), 1);
  KeyHash expected;
  for (int i = 0; i < 8; ++i) {
    expected.high = expected.high << 8 | digest[i];
    expected.low = expected.low << 8 | digest[8 + i];
  }
  EXPECT_EQ(hash_key("a", "s", "k"), expected);
}

}  // namespace
}  // namespace firstcome::engine
