//! The example of another application.

#[path = "../../../examples/orders/shop.rs"]
mod shop;

use crate::support::mongod::shared_mongod;

#[test]
fn the_example_shop_s_orders_arrive_as_its_configuration_says() {
    let seen = shop::run(shared_mongod());
    println!("{seen}");
    assert_eq!(seen.trouble(), None);
}
