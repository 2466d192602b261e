"""What tests share: helpers, sites, doubles, real servers and browsers."""
