using Decant.Agent.Balancers;
using Decant.Agent.Configuration;
using Decant.Names;

namespace Decant.Agent.Tests.Balancers;

/// <summary>The example for AWS, with a program in place of the AWS CLI that keeps targets in files.</summary>
[Parallelizable(ParallelScope.All)]
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class AwsAlbExampleTests
{
    private const string Aws = """
        #!/bin/bash
        set -eu
        [ ! -e DIRECTORY/denied ] || { echo "An error occurred (AccessDenied)" >&2; exit 254; }
        [ "$1" = --version ] && { echo 'aws-cli/2.9 Python/3.11'; exit; }
        [ "$1" = elbv2 ] || exit 252
        shift; verb=$1; shift
        while [ $# -gt 0 ]; do
          case $1 in --target-group-arn) arn=$2 ;; --names) name=$2 ;; --targets) target=$2 ;; --query | --output) ;; *) exit 252 ;; esac
          shift 2
        done
        targets=DIRECTORY/targets
        case $verb in
          describe-target-groups) [ "$name" = shop ] || { echo "An error occurred (TargetGroupNotFound)" >&2; exit 254; }; echo arn:aws:tg/shop ;;
          describe-target-health)
            [ "$arn" = arn:aws:tg/shop ]
            for t in "$targets"/*; do [ -e "$t" ] && { f=${t##*/}; printf '%s\t%s\t%s\n' "${f%:*}" "${f#*:}" "$(cat "$t")"; }; done; true ;;
          register-targets) t=${target#Id=}; echo initial > "$targets/${t/,Port=/:}" ;;
          deregister-targets) t=${target#Id=}; echo draining > "$targets/${t/,Port=/:}" ;;
        esac
        """;

    private static readonly MemberName Shop = MemberName.Parse("shop");
    private static readonly MemberKey Web1 = new(Shop, MemberName.Parse("web1"));
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);
    private readonly ProgramDirectory directory = new();
    private readonly RecordedReport report = new();

    [SetUp]
    public void Targets()
    {
        Directory.CreateDirectory(directory["targets"]);
        Target("10.0.0.11:4000", "healthy");
        Target("10.0.0.12:4000", "healthy");
        File.WriteAllText(directory["members"], "# comment\nshop web1 10.0.0.11 4000\nshop web2 10.0.0.12 4000\nother web1 10.0.0.13 80\n");
    }

    [TearDown]
    public void Remove() => directory.Dispose();

    [Test]
    public async Task A_target_is_deregistered_until_the_ALB_has_drained_it_and_registered_until_it_is_healthy()
    {
        using var balancer = Balancer();
        Assert.That((await balancer.ReadBackendAsync(Shop, default)).Members.Select(m => (m.Name, m.Address, m.State)), Is.EqualTo(new[]
        {
            ("web1", "10.0.0.11:4000", MemberState.Ready), ("web2", "10.0.0.12:4000", MemberState.Ready),
        }));

        var drain = balancer.DrainAsync(Web1, new DrainOptions(Soon, 1), report, default);
        await Eventually.TrueAsync(() => report.Sessions.Contains(1), "the ALB draining");
        Assert.That(drain.IsCompleted, Is.False);
        File.Delete(directory["targets/10.0.0.11:4000"]);
        var drained = await drain;
        var undrain = balancer.UndrainAsync(Shop, new PutIn(Web1.Member), Soon, report, default);
        await Eventually.TrueAsync(() => report.Messages.Any(m => m.EndsWith("web1 initial", StringComparison.Ordinal)), "the ALB checking");
        Assert.That(undrain.IsCompleted, Is.False);
        Target("10.0.0.11:4000", "healthy");

        Assert.That((drained.SessionsLeft, (await undrain).Status), Is.EqualTo((0, "healthy")));
    }

    [Test]
    public async Task What_an_ALB_cannot_do_or_does_not_allow_is_an_error_in_its_own_words()
    {
        using var balancer = Balancer();

        var share = await Refusal.OfAsync(balancer.UndrainAsync(Shop, new PutIn(Web1.Member, Weight: 10), Soon, report, default));
        var address = await Refusal.OfAsync(
            balancer.UndrainAsync(Shop, new PutIn(Web1.Member, MemberAddress.Parse("10.0.0.99:4000")), Soon, report, default));
        var group = await Refusal.OfAsync(balancer.ReadBackendAsync(MemberName.Parse("other"), default));
        await File.WriteAllTextAsync(directory["denied"], "");
        var denied = await Refusal.OfAsync(balancer.DrainAsync(Web1, new DrainOptions(Soon, 0), report, default));

        using (Assert.EnterMultipleScope())
        {
            Assert.That(share.Message, Does.Contain("an ALB has no weight for a single target"));
            Assert.That(address.Message, Does.Contain("has web1 at 10.0.0.11:4000, not at 10.0.0.99:4000"));
            Assert.That((group.Reason, denied.Reason), Is.EqualTo(("BALANCER_UNREACHABLE", "BALANCER_UNREACHABLE")));
            Assert.That(group.Message, Does.Contain("TargetGroupNotFound"));
            Assert.That(denied.Message, Does.Contain("AccessDenied"));
        }
    }

    [Test]
    public async Task Its_version_and_target_groups_are_listed()
    {
        using var balancer = Balancer();

        Assert.That(await balancer.ReadVersionAsync(default), Is.EqualTo("aws-cli/2.9 Python/3.11"));
        Assert.That(await balancer.ListBackendsAsync(default), Is.EqualTo(new[] { "shop", "other" }));
    }

    private void Target(string address, string state) => File.WriteAllText(directory[$"targets/{address}"], state + "\n");

    private CommandBalancer Balancer()
    {
        var aws = directory.Write("aws", Aws);
        var example = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "examples", "balancer-aws-alb.sh"));
        var program = directory.Write("program", example
            .Replace("\nAWS=aws\n", $"\nAWS={aws}\n", StringComparison.Ordinal)
            .Replace("\nMEMBERS=/etc/decant/alb-members\n", $"\nMEMBERS={directory["members"]}\n", StringComparison.Ordinal));
        return new CommandBalancer(
            BalancerName.Parse("edge"), new BalancerSettings.Command(program, Soon), new CommandTimings { Look = TimeSpan.FromMilliseconds(50) }, TimeProvider.System);
    }
}
