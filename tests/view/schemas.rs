use aeroform as _;
