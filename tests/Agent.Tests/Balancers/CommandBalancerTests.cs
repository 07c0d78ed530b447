using Decant.Agent.Balancers;
using Decant.Agent.Configuration;
using Decant.Names;
using Grpc.Core;

namespace Decant.Agent.Tests.Balancers;

/// <summary>Programs that drive a balancer, well and badly.</summary>
[Parallelizable(ParallelScope.All)]
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class CommandBalancerTests
{
    /// <summary>Keeps each member in a file of its own: address, state, weight and what is in flight.</summary>
    private const string Program = """
        #!/bin/bash
        set -eu
        echo "$*" >> DIRECTORY/calls
        m=DIRECTORY/members/${3:-}
        say() { read -r a s w f < "$m"; echo "${2:-$a} $1 ${3:-$w} $f" > "$m"; }
        case $1 in
          backends) echo '{"version":"1.2","backends":["shop"]}' ;;
          backend)
            [ "$2" = shop ] || { echo "no backend $2" >&2; exit 1; }
            sep='' ; echo '{"members":['
            for m in DIRECTORY/members/*; do
              read -r a s w f < "$m"
              echo "$sep{\"name\":\"${m##*/}\",\"address\":\"$a\",\"state\":\"$s\",\"weight\":$w,\"in_flight\":$f,\"answers\":7,\"errors\":1,\"response_time_ms\":2.5,\"more\":true}"
              sep=,
            done
            echo ']}' ;;
          drain) say draining ;;
          maintenance) say maintenance ;;
          undrain)
            [ -e "$m" ] || echo "- down 0 0" > "$m"
            if [ "$4" = - ]; then say ready '' "$5"; else say ready "$4" "$5"; fi
            [ ! -e DIRECTORY/never-up ] || say down ;;
          remove) rm "$m" ;;
        esac
        """;

    private static readonly MemberName Shop = MemberName.Parse("shop");
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);
    private readonly ProgramDirectory directory = new();
    private readonly RecordedReport report = new();

    [SetUp]
    public void Members()
    {
        Directory.CreateDirectory(directory["members"]);
        File.WriteAllText(directory["members/web1"], "10.0.0.1:4000 ready 100 0\n");
        File.WriteAllText(directory["members/web2"], "10.0.0.2:4000 ready 100 0\n");
    }

    [TearDown]
    public void Remove() => directory.Dispose();

    [Test]
    public async Task A_backend_is_what_the_program_prints()
    {
        using var balancer = Balancer(Program);

        var backend = await balancer.ReadBackendAsync(Shop, default);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(await balancer.ReadVersionAsync(default), Is.EqualTo("1.2"));
            Assert.That(await balancer.ListBackendsAsync(default), Is.EqualTo(new[] { "shop" }));
            Assert.That(backend.CountsAnswers, Is.True);
            Assert.That(backend.Members[0], Is.EqualTo(new Member
            {
                Name = "web1",
                Address = "10.0.0.1:4000",
                State = MemberState.Ready,
                Status = "ready",
                Weight = 100,
                ResponsesTotal = 7,
                Responses5xx = 1,
                ResponseTimeMs = 2.5,
            }));
        }
    }

    [Test]
    public async Task A_member_is_drained_when_the_program_says_that_nothing_is_in_flight()
    {
        using var balancer = Balancer(Program);
        await File.WriteAllTextAsync(directory["members/web1"], "10.0.0.1:4000 ready 100 2\n");

        var given = await balancer.DrainAsync(Key("web1"), Within(0.2, others: 1), report, default);
        var drain = balancer.DrainAsync(Key("web1"), Within(20), report, default);
        await File.WriteAllTextAsync(directory["next"], "10.0.0.1:4000 draining 100 0\n");
        File.Move(directory["next"], directory["members/web1"], overwrite: true);
        var drained = await drain;

        using (Assert.EnterMultipleScope())
        {
            Assert.That((given.SessionsLeft, drained.SessionsLeft), Is.EqualTo((2, 0)));
            Assert.That((await balancer.DrainAsync(Key("web1"), Within(20), report, default)).Unchanged, Is.True);
            Assert.That(Calls("drain"), Is.EqualTo(new[] { "drain shop web1" }));
        }
    }

    [Test]
    public async Task Members_are_put_in_moved_between_and_deleted_with_their_address_and_share()
    {
        using var balancer = Balancer(Program);
        var into = new PutIn(MemberName.Parse("web3"), MemberAddress.Parse("10.0.0.3:4000"), 25);

        var moved = await balancer.MoveAsync(Shop, new BalancerMove([into], [MemberName.Parse("web1")]), Soon, report, default);
        var again = await balancer.UndrainAsync(Shop, into, Soon, report, default);
        var inRotation = await Refusal.OfAsync(balancer.RemoveAsync(Key("web2"), report, default));
        var removed = await balancer.RemoveAsync(Key("web1"), report, default);
        var back = await balancer.UndrainAsync(Shop, new PutIn(MemberName.Parse("web2"), Weight: 50), Soon, report, default);
        await balancer.MaintenanceAsync(Key("web2"), report, default);

        using (Assert.EnterMultipleScope())
        {
            Assert.That((moved.Unchanged, again.Unchanged, removed.Unchanged, back.Unchanged), Is.EqualTo((false, true, false, false)));
            Assert.That(inRotation.Reason, Is.EqualTo("MEMBER_IN_ROTATION"));
            Assert.That(Calls("undrain"), Is.EqualTo(new[] { "undrain shop web3 10.0.0.3:4000 25", "undrain shop web2 - 50" }));
            Assert.That((await balancer.ReadBackendAsync(Shop, default)).Members.Select(m => (m.Name, m.State)), Is.EqualTo(new[]
            {
                ("web2", MemberState.Maintenance), ("web3", MemberState.Ready),
            }));
        }
    }

    [Test]
    public async Task A_move_whose_member_never_comes_up_takes_nothing_out()
    {
        using var balancer = Balancer(Program);
        await File.WriteAllTextAsync(directory["never-up"], "");
        var into = new PutIn(MemberName.Parse("web3"), MemberAddress.Parse("10.0.0.3:4000"));

        var error = await Refusal.OfAsync(balancer.MoveAsync(Shop, new BalancerMove([into], [MemberName.Parse("web1")]), TimeSpan.FromSeconds(0.3), report, default));

        Assert.That(error.Reason, Is.EqualTo("MEMBER_NOT_UP"));
        Assert.That((await balancer.ReadBackendAsync(Shop, default)).Members.Select(m => m.State), Is.EqualTo(new[]
        {
            MemberState.Ready, MemberState.Ready, MemberState.Draining,
        }));
    }

    [Test]
    public async Task A_drain_that_would_leave_too_few_is_refused_and_unknown_members_are_errors()
    {
        using var balancer = Balancer(Program);

        var few = await Refusal.OfAsync(balancer.DrainAsync(Key("web1"), Within(0.2, others: 2), report, default));
        var unknown = await Refusal.OfAsync(balancer.DrainAsync(Key("web9"), Within(0.2), report, default));

        Assert.That((few.Reason, unknown.Reason), Is.EqualTo(("TOO_FEW_IN_ROTATION", "MEMBER_NOT_FOUND")));
        Assert.That(Calls("drain"), Is.Empty);
    }

    [TestCase("echo nonsense", "BALANCER_UNREACHABLE", "printed \"nonsense\": it is not the JSON")]
    [TestCase("true", "BALANCER_UNREACHABLE", "printed \"(nothing)\"")]
    [TestCase("echo null", "BALANCER_UNREACHABLE", "it is null")]
    [TestCase("echo '{}'", "BALANCER_UNREACHABLE", "it has no \"members\"")]
    [TestCase("echo '{\"members\":[{\"name\":\"web1\",\"state\":\"up\",\"in_flight\":0}]}'", "BALANCER_UNREACHABLE", "\"state\" of web1 is \"up\"")]
    [TestCase("echo '{\"members\":[{\"name\":\"web1\",\"state\":\"draining\"}]}'", "BALANCER_UNREACHABLE", "\"in_flight\" of web1 is not a number from 0")]
    [TestCase("echo '{\"members\":[{\"name\":\"w 1\",\"state\":\"ready\",\"in_flight\":0}]}'", "BALANCER_UNREACHABLE", "a member's name is none")]
    [TestCase("echo '{\"members\":[null]}'", "BALANCER_UNREACHABLE", "a member is null")]
    [TestCase("echo denied >&2; exit 3", "BALANCER_REFUSED", "ended with exit code 3: denied")]
    [TestCase("exit 1", "BALANCER_REFUSED", "exit code 1, and said nothing on its standard error")]
    [TestCase("echo no route >&2; exit 69", "BALANCER_UNREACHABLE", "cannot reach it: no route")]
    [TestCase("echo waiting >&2; exec sleep 600", "BALANCER_UNREACHABLE", "had not ended after 500ms and was killed: waiting")]
    [TestCase("kill -9 $$", "BALANCER_REFUSED", "exit code 137")]
    [TestCase("head -c 3000000 /dev/zero | tr '\\0' ' '; sleep 0", "BALANCER_UNREACHABLE", "more than 1 MiB")]
    public async Task A_program_that_does_not_do_its_work_is_an_error_and_never_a_drain(string work, string reason, string message)
    {
        using var balancer = Balancer($"#!/bin/bash\n{work}\n", TimeSpan.FromMilliseconds(work.Contains("sleep 600", StringComparison.Ordinal) ? 500 : 20_000));

        var error = await Refusal.OfAsync(balancer.DrainAsync(Key("web1"), Within(20), report, default));

        Assert.That(error.Reason, Is.EqualTo(reason));
        Assert.That(error.Message, Does.Contain(message));
    }

    [Test]
    public async Task A_drain_that_the_program_says_is_done_and_is_not_is_an_error()
    {
        using var balancer = Balancer(Program.Replace("drain) say draining ;;", "drain) ;;", StringComparison.Ordinal));

        var error = await Refusal.OfAsync(balancer.DrainAsync(Key("web1"), Within(20), report, default));

        Assert.That(error.Reason, Is.EqualTo("BALANCER_REFUSED"));
        Assert.That(error.Message, Does.Contain("the member is web1 ready still"));
    }

    [Test]
    public async Task A_program_that_is_not_there_or_not_executable_says_so()
    {
        using var absent = new CommandBalancer(
            BalancerName.Parse("cloud"), new BalancerSettings.Command(directory["nothing"], Soon), new CommandTimings(), TimeProvider.System);
        using var plain = Balancer(Program);
        File.SetUnixFileMode(directory["program"], UnixFileMode.UserRead);

        var missing = await Refusal.OfAsync(absent.ReadBackendAsync(Shop, default));
        var forbidden = await Refusal.OfAsync(plain.ReadBackendAsync(Shop, default));

        Assert.That((missing.Reason, missing.Code), Is.EqualTo(("BALANCER_UNREACHABLE", StatusCode.Unavailable)));
        Assert.That(missing.Message, Does.Contain("is not there"));
        Assert.That(forbidden.Message, Does.Contain("is not executable"));
    }

    [Test]
    public async Task A_program_gets_a_clean_environment_and_arguments_that_no_shell_has_seen()
    {
        using var balancer = Balancer("#!/bin/bash\nenv > DIRECTORY/env\npwd >> DIRECTORY/env\nexit 1\n");

        await Refusal.OfAsync(balancer.ReadBackendAsync(Shop, default));

        var names = (await File.ReadAllLinesAsync(directory["env"])).Select(l => l.Split('=')[0]);
        Assert.That(names, Is.EquivalentTo(new[] { "PATH", "HOME", "LANG", "DECANT_BALANCER", "PWD", "SHLVL", "_", "/" }));
    }

    private static MemberKey Key(string name) => new(Shop, MemberName.Parse(name));

    private static DrainOptions Within(double seconds, int others = 0) => new(TimeSpan.FromSeconds(seconds), others);

    private string[] Calls(string verb)
        => [.. File.ReadAllLines(directory["calls"]).Where(l => l.StartsWith(verb + " ", StringComparison.Ordinal))];

    private CommandBalancer Balancer(string program, TimeSpan? timeout = null) => new(
        BalancerName.Parse("cloud"),
        new BalancerSettings.Command(directory.Write("program", program), timeout ?? Soon),
        new CommandTimings { Look = TimeSpan.FromMilliseconds(50) },
        TimeProvider.System);
}
