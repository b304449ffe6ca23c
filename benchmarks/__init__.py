"""How fast Kineme is, beside a calibration of the machine and the published programs."""
