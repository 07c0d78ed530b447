using Decant.Controller.Planning;
using static Decant.Controller.Tests.Planning.Fleets;

namespace Decant.Controller.Tests.Planning;

public class PlanTextTests
{
    [Test]
    public void A_single_host()
    {
        var manifest = ManifestOf(1);

        Expect(Planner.MakeDeployment(manifest, All(manifest, Serving), New), """
            deploy shop 1.2.0-bbbbbbbbbbbb: 1 of 1 host in 1 wave

            prepare, while what runs now serves
              stage      web1
              preflight  web1

            wave 1 of 1
              web1: 1.1.0-aaaaaaaaaaaa → 1.2.0-bbbbbbbbbbbb
                why: replaces 1.1.0-aaaaaaaaaaaa; wave 1 of 1, batch of 1; no other host serves meanwhile: requests fail from its stop until it is healthy again
                1. drain at edge1 (at most 30s)
                2. stop 1.1.0-aaaaaaaaaaaa (SIGTERM after 30s, SIGKILL 5s later)
                3. start 1.2.0-bbbbbbbbbbbb on port 4000
                4. wait until healthy (at most 1m) and for 5s more
                5. undrain at edge1 (at most 30s)

            at the end
              keep 5 releases on web1
            """);
    }

    [Test]
    public void Three_hosts_of_which_one_is_empty_and_one_is_done_already()
    {
        var manifest = ManifestOf(3, balancers: 2, more: "migrations: { run: Shop.Release.migrate() }");

        Expect(Planner.MakeDeployment(manifest, Observe(manifest, Updated, Serving, Empty), New), """
            deploy shop 1.2.0-bbbbbbbbbbbb: 2 of 3 hosts in 2 waves

            prepare, while what runs now serves
              stage      web2, web3
              preflight  web2, web3
              migrate    once, on web2: Shop.Release.migrate() (at most 10m)

            wave 1 of 2
              web3: (nothing) → 1.2.0-bbbbbbbbbbbb
                why: first: nothing runs there; wave 1 of 2, batch of 1
                1. drain at edge1 (at most 30s)
                2. drain at edge2 (at most 30s)
                3. start 1.2.0-bbbbbbbbbbbb on port 4000
                4. wait until healthy (at most 1m) and for 5s more
                5. undrain at edge1 (at most 30s)
                6. undrain at edge2 (at most 30s)

            wave 2 of 2
              web2: 1.1.0-aaaaaaaaaaaa → 1.2.0-bbbbbbbbbbbb
                why: replaces 1.1.0-aaaaaaaaaaaa; wave 2 of 2, batch of 1
                1. drain at edge1 (at most 30s, when at least 1 other is up)
                2. drain at edge2 (at most 30s, when at least 1 other is up)
                3. stop 1.1.0-aaaaaaaaaaaa (SIGTERM after 30s, SIGKILL 5s later)
                4. start 1.2.0-bbbbbbbbbbbb on port 4000
                5. wait until healthy (at most 1m) and for 5s more
                6. undrain at edge1 (at most 30s)
                7. undrain at edge2 (at most 30s)

            not touched
              web1: runs 1.2.0-bbbbbbbbbbbb already

            at the end
              keep 5 releases on web1, web2, web3
            """);
    }

    [Test]
    public void Forty_hosts_by_quarters()
    {
        var manifest = ManifestOf(40, batch: "25%", more: "migrations: { run: Shop.Release.migrate() }");

        Expect(Planner.MakeDeployment(manifest, All(manifest, Serving), New), """
            deploy shop 1.2.0-bbbbbbbbbbbb: 40 of 40 hosts in 4 waves

            prepare, while what runs now serves
              stage      web1 … web40 (40 hosts)
              preflight  web1 … web40 (40 hosts)
              migrate    once, on web1: Shop.Release.migrate() (at most 10m)

            wave 1 of 4
              web1, web2, web3, web4, web5, web6, web7, web8, web9, web10 (10 hosts): 1.1.0-aaaaaaaaaaaa → 1.2.0-bbbbbbbbbbbb
                why: replaces 1.1.0-aaaaaaaaaaaa; wave 1 of 4, batch of 10
                1. drain at edge1 (at most 30s, when at least 10 others are up)
                2. stop 1.1.0-aaaaaaaaaaaa (SIGTERM after 30s, SIGKILL 5s later)
                3. start 1.2.0-bbbbbbbbbbbb on port 4000
                4. wait until healthy (at most 1m) and for 5s more
                5. undrain at edge1 (at most 30s)

            wave 2 of 4
              web11, web12, web13, web14, web15, web16, web17, web18, web19, web20 (10 hosts): 1.1.0-aaaaaaaaaaaa → 1.2.0-bbbbbbbbbbbb
                why: replaces 1.1.0-aaaaaaaaaaaa; wave 2 of 4, batch of 10
                1. drain at edge1 (at most 30s, when at least 10 others are up)
                2. stop 1.1.0-aaaaaaaaaaaa (SIGTERM after 30s, SIGKILL 5s later)
                3. start 1.2.0-bbbbbbbbbbbb on port 4000
                4. wait until healthy (at most 1m) and for 5s more
                5. undrain at edge1 (at most 30s)

            wave 3 of 4
              web21, web22, web23, web24, web25, web26, web27, web28, web29, web30 (10 hosts): 1.1.0-aaaaaaaaaaaa → 1.2.0-bbbbbbbbbbbb
                why: replaces 1.1.0-aaaaaaaaaaaa; wave 3 of 4, batch of 10
                1. drain at edge1 (at most 30s, when at least 10 others are up)
                2. stop 1.1.0-aaaaaaaaaaaa (SIGTERM after 30s, SIGKILL 5s later)
                3. start 1.2.0-bbbbbbbbbbbb on port 4000
                4. wait until healthy (at most 1m) and for 5s more
                5. undrain at edge1 (at most 30s)

            wave 4 of 4
              web31, web32, web33, web34, web35, web36, web37, web38, web39, web40 (10 hosts): 1.1.0-aaaaaaaaaaaa → 1.2.0-bbbbbbbbbbbb
                why: replaces 1.1.0-aaaaaaaaaaaa; wave 4 of 4, batch of 10
                1. drain at edge1 (at most 30s, when at least 10 others are up)
                2. stop 1.1.0-aaaaaaaaaaaa (SIGTERM after 30s, SIGKILL 5s later)
                3. start 1.2.0-bbbbbbbbbbbb on port 4000
                4. wait until healthy (at most 1m) and for 5s more
                5. undrain at edge1 (at most 30s)

            at the end
              keep 5 releases on web1 … web40 (40 hosts)
            """);
    }

    [Test]
    public void Nothing_to_do()
    {
        var manifest = ManifestOf(2);

        Expect(Planner.MakeDeployment(manifest, All(manifest, Updated), New), """
            deploy shop 1.2.0-bbbbbbbbbbbb: nothing to do

            not touched
              web1, web2: runs 1.2.0-bbbbbbbbbbbb already
            """);
    }

    [Test]
    public void A_rollback_of_two_hosts_of_which_one_was_empty()
    {
        var manifest = ManifestOf(3);
        var hosts = manifest.Hosts.Select(h => h.Name).ToList();

        Expect(
            Planner.MakeRollback(
                manifest,
                Observe(manifest, Updated, Updated, Serving),
                [new HostRollback(hosts[1], null, "web2 failed at start"), new HostRollback(hosts[0], Old, "was changed before web2 failed")]),
            """
            roll shop back: 2 of 3 hosts in 2 waves

            wave 1 of 2
              web2: 1.2.0-bbbbbbbbbbbb → (nothing)
                why: web2 failed at start; wave 1 of 2, batch of 1
                1. drain at edge1 (at most 30s, when at least 1 other is up)
                2. stop 1.2.0-bbbbbbbbbbbb (SIGTERM after 30s, SIGKILL 5s later)

            wave 2 of 2
              web1: 1.2.0-bbbbbbbbbbbb → 1.1.0-aaaaaaaaaaaa
                why: was changed before web2 failed; wave 2 of 2, batch of 1
                1. drain at edge1 (at most 30s, when at least 1 other is up)
                2. stop 1.2.0-bbbbbbbbbbbb (SIGTERM after 30s, SIGKILL 5s later)
                3. start 1.1.0-aaaaaaaaaaaa on port 4000
                4. wait until healthy (at most 1m) and for 5s more
                5. undrain at edge1 (at most 30s)

            not touched
              web3: was not changed
            """);
    }

    private static void Expect(PlanResult result, string expected) => Assert.That(string.Join('\n', PlanText.Of(Made(result))), Is.EqualTo(expected));
}
