from approvals.testing import approvals_script as approvals_script  # the fixture, for all tests below here
