#include "api/sale_body.hpp"

#include <gtest/gtest.h>

namespace firstcome::api {
namespace {

std::string error_of(std::string_view text) {
  const auto sales = sales_from_json(text);
  return sales ? "no error" : sales.error();
}

TEST(SalesFromJson, ReadsAFileOfSales) {
  const auto sales = sales_from_json(R"( [ {"id":"a","stock":1,"name":"x, ] } \" ["},
      {"id":"b","stock":2,"queue":{"admit_per_tick":3,"tick_ms":50}} ] )");
  ASSERT_TRUE(sales) << sales.error();
  ASSERT_EQ(sales->size(), 2U);
  EXPECT_EQ(sales->at(0).name, "x, ] } \" [");
  EXPECT_EQ(sales->at(1).queue, (QueueTerms{3, Milliseconds{50}}));
  EXPECT_EQ(sales_from_json("[]")->size(), 0U);
  EXPECT_EQ(sales_from_json(" [ ] ")->size(), 0U);
}

TEST(SalesFromJson, ErrorsNameTheSaleAndTheField) {
  EXPECT_EQ(error_of(R"([{"id":"a","stock":1},{"id":"b"}])"),
            "sale 2: stock is missing; it must be an integer from 0 to 1000000000.");
  EXPECT_EQ(error_of(R"([{"id":"a","stock":1,"typo":1}])"),
            "sale 1: typo: There is no such member; is it a typing mistake?");
  EXPECT_EQ(error_of(R"([{"id":"a","stock":1},{"id":"a","stock":1}])"),
            "sale 2: id must not be that of another sale of the file.");
  EXPECT_EQ(error_of(R"([{"id":"a","stock":1,"payment":"auto","hold_ms":0}])"),
            "sale 1: payment cannot be auto where hold_ms is 0: nothing is paid then.");
}

TEST(SalesFromJson, RefusesWhatIsNoArrayOfSales) {
  for (const char* text : {"", " ", "[", "]", "{}", "null", "[1]", "[{}", "[{\"id\":\"a\",\"stock\":1},]", "[,]",
                           "[{\"id\":\"a\",\"stock\":1}] x", "[{\"id\":\"a\",\"stock\":1} {\"id\":\"b\",\"stock\":1}]",
                           "[{\"id\":\"a\",\"stock\":1]}", "[\"]"})
    EXPECT_NE(error_of(text), "no error") << text;
}

}  // namespace
}  // namespace firstcome::api
