using Decant.Controller.Execution;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Names;

namespace Decant.Controller.Tests.Simulation;

/// <summary>
/// One story, told by its seed: a fleet, a release, a storm, and an operator who deploys, stops, resumes, aborts, promotes and rolls back; at last the
/// storm is over and the operator goes on until everything serves.
/// </summary>
internal sealed class Schedule : IDisposable
{
    private const int MostResumes = 3;

    private static readonly ReleaseId First = Release("1.0.0", '1');
    private static readonly ReleaseId Second = Release("2.0.0", '2');
    private static readonly ReleaseId Third = Release("3.0.0", '3');

    private readonly Random random;
    private readonly World world;
    private readonly SimulatedController controller;
    private readonly SimulatedController elsewhere;
    private readonly DeploymentManifest manifest;
    private readonly List<string> ends = [];
    private (int Begins, Func<SimulatedCommand>? Begin) rival;

    private Schedule(int seed, bool isTraced)
    {
        random = new Random(seed);
        manifest = RandomManifest.Of(random);
        world = new World(manifest, random, isTraced);
        controller = new SimulatedController(world, "ops1", seed);
        elsewhere = new SimulatedController(world, "ops2", ~seed);
        world.Log($"seed {seed}: {RandomManifest.Describe(manifest)}");
    }

    /// <summary>Plays a seed.</summary>
    /// <param name="seed">Tells the story.</param>
    /// <param name="isTraced">Whether what happens is written down.</param>
    public static Story Play(int seed, bool isTraced = false)
    {
        using var schedule = new Schedule(seed, isTraced);
        try
        {
            schedule.Run();
        }
#pragma warning disable CA1031 // Whatever was thrown belongs to the seed.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            schedule.world.Rules.Break($"thrown: {exception}");
        }

        return new Story(seed, schedule.world.Rules.Broken, schedule.world.Trace, schedule.ends);
    }

    public void Dispose()
    {
        controller.Dispose();
        elsewhere.Dispose();
    }

    private void Run()
    {
        var isFirst = random.Next(8) == 0;
        foreach (var host in manifest.Hosts)
        {
            if (isFirst) continue;
            var slot = host.Slots[random.Next(host.Slots.Count)];
            if (random.Next(12) == 0) continue;
            world.Host(host.Name).Begin(First, slot);
            foreach (var balancer in world.BalancersOf(host.Name)) balancer.MemberOf(host.Name, slot.Name)!.PutIn(100);
        }

        if (random.Next(6) == 0) world.Bad[Second] = (Behaviour)random.Next(1, 4);
        if (random.Next(5) > 0) world.Weather = Weather.At(random);

        Rival();
        Deploy(Second, ControllerFate.At(random));
        for (var more = random.Next(4); more > 0; more--)
        {
            Idle();
            Rival();
            Any(ControllerFate.At(random));
        }

        Idle();
        world.Heal();
        Wait(TimeSpan.FromSeconds(60));
        Finish();
        Wait(TimeSpan.FromSeconds(5));
        Ends(Deploy(Third, ControllerFate.Calm), Third);
    }

    /// <summary>Deployments that were left unfinished are resumed until they are over: those of both machines, which wait for each other's hosts.</summary>
    private void Finish()
    {
        for (var resumes = 0; ; resumes++)
        {
            var left = new[] { elsewhere, controller }.Where(m => m.Last is { IsUnfinished: true }).ToList();
            if (left.Count == 0) return;
            if (resumes == MostResumes)
            {
                foreach (var last in left.Select(m => m.Last!).Where(l => !IsForAPerson(l))) world.Rules.Break($"{last.Id} is {last.Status} after {resumes} resumes: {last.Message}");
                return;
            }

            foreach (var machine in left)
            {
                var last = machine.Last!;
                var end = last.Status == DeploymentStatus.AwaitingPromotion
                    ? Do(machine, $"promote {last.Id}", ControllerFate.Calm, (service, stop) => service.PromoteAsync(last, manifest, stop))
                    : Do(machine, $"resume {last.Id}", ControllerFate.Calm, (service, stop) => service.ResumeAsync(last, manifest, stop));
                // Hosts that a bad release has taken down are not up, and may be what is missing; or those that the other machine left half way.
                if (end?.Refusal is { Reason: "MIN_IN_ROTATION" } && world.Bad.Count > 0) return;
                if (end?.Refusal is { } refusal && (refusal.Reason != "MIN_IN_ROTATION" || left.Count == 1)) world.Rules.Break($"{last.Id} cannot be resumed: {refusal.Reason}: {refusal.Message}");
                if (machine == controller && end?.Outcome is { Status: DeploymentStatus.Succeeded } && last.Intent == PlanIntent.Deploy && !world.Bad.ContainsKey(last.Release!)) Ends(end, last.Release!);
            }
        }
    }

    /// <summary>
    /// A release that never serves, and nobody who takes it back; or the way back leads to it, because it was what ran before. It stays with the
    /// operator, who was told.
    /// </summary>
    private bool IsForAPerson(DeploymentRecord last)
    {
        bool IsBad(ReleaseId? release) => release is not null && world.Bad.ContainsKey(release);
        // A host that was empty before has helped to let others go: without it they cannot be spared one at a time.
        var before = manifest.Hosts.Count - last.Cutovers.Count(c => c.From is null);
        var isShort = last.Cutovers.Any(c => c.From is null) && before - 1 < manifest.Strategy.MinInRotation.AtLeastOf(manifest.Hosts.Count);
        return last.RollingBack ? isShort || last.Cutovers.Any(c => IsBad(c.From))
            : last.Intent == PlanIntent.Rollback ? last.Cutovers.Any(c => IsBad(c.To))
            : IsBad(last.Release) && !manifest.Strategy.AutoRollback;
    }

    /// <summary>Everything serves the release, and nothing else is left.</summary>
    private void Ends(CommandEnd? end, ReleaseId release)
    {
        if (end?.Outcome is { Status: DeploymentStatus.AwaitingPromotion, Id: var id })
            end = Do(controller, $"promote {id}", ControllerFate.Calm, (service, stop) => service.PromoteAsync(controller.Last!, manifest, stop));
        if (end?.Outcome is not { Status: DeploymentStatus.Succeeded or DeploymentStatus.NothingToDo })
        {
            world.Rules.Break($"{release.Version} is not deployed although nothing goes wrong: {end}");
            return;
        }

        foreach (var host in world.Hosts)
        {
            var serving = host.Instances.Values.Where(i => i is { IsUp: true, Retiring: false }).ToList();
            if (serving is not [{ } instance] || instance.Release != release)
            {
                world.Rules.Break($"{host.Name} runs {string.Join(", ", serving.Select(i => i.Release.Version))} after {release.Version} was deployed");
                continue;
            }

            foreach (var balancer in world.BalancersOf(host.Name))
            {
                if (balancer.MemberOf(host.Name, instance.Slot.Name) is not { Ready: true, Weight: 100 }) world.Rules.Break($"{host.Name} is not fully in at {balancer.Seat} after {release.Version} was deployed");
                if (balancer.Members.Any(m => m.Key.Host == host.Name && m.Key.Slot != instance.Slot.Name && m.Value.Ready))
                    world.Rules.Break($"{balancer.Seat} has two members of {host.Name} in after {release.Version} was deployed");
            }
        }
    }

    private CommandEnd? Any(ControllerFate fate)
    {
        var last = controller.Last;
        return random.Next(8) switch
        {
            0 => Deploy(Second, fate),
            1 => Deploy(Third, fate),
            2 => Do(controller, "rollback", fate, (service, stop) => service.RollbackAsync(new RollbackRequest(Source, manifest, null), stop)),
            3 when last is not null => Do(controller, $"abort {last.Id}", fate, (service, stop) => service.AbortAsync(last, manifest, stop)),
            4 when last is not null => Do(controller, $"promote {last.Id}", fate, (service, stop) => service.PromoteAsync(last, manifest, stop)),
            _ when last is not null => Do(controller, $"resume {last.Id}", fate, (service, stop) => service.ResumeAsync(last, manifest, stop)),
            _ => Deploy(Second, fate),
        };
    }

    private CommandEnd? Deploy(ReleaseId release, ControllerFate fate)
        => Do(controller, $"deploy {release.Version}", fate, (service, stop) => service.DeployAsync(new DeployRequest(Source, manifest, release, null, Again: true), stop));

    /// <summary>Somebody elsewhere has a mind to change the app, too, in the middle of what is done here next.</summary>
    private void Rival()
    {
        if (world.Weather == Weather.Calm || random.Next(3) > 0) return;
        var fate = ControllerFate.At(random);
        Func<SimulatedCommand> begin = random.Next(3) == 0
            ? () => elsewhere.Begin("rollback", fate, (service, stop) => service.RollbackAsync(new RollbackRequest(Source, manifest, null), stop))
            : () => elsewhere.Begin("deploy 3.0.0", fate, (service, stop) => service.DeployAsync(new DeployRequest(Source, manifest, Third, null, Again: true), stop));
        rival = (random.Next(1_000), begin);
    }

    private CommandEnd? Do(SimulatedController machine, string what, ControllerFate fate, Func<DeploymentService, StopSignal, Task<DeploymentOutcome>> work)
    {
        using var own = machine.Begin(what, fate, work);
        var (begins, begin) = rival;
        rival = default;
        SimulatedCommand? other = null;
        CommandEnd? end = null;
        var isEnded = false;
        for (var events = 0; !isEnded || other is not null; events++)
        {
            if (!isEnded && own.IsOver)
            {
                end = End(machine, own);
                isEnded = true;
            }

            if (other is { IsOver: true })
            {
                End(elsewhere, other);
                other.Dispose();
                other = null;
            }

            if (events == begins && begin is not null && !isEnded) other = begin();
            if (isEnded && other is null) break;
            if ((!isEnded && !own.Live()) || (other is not null && !other.Live()))
            {
                world.Rules.Break($"decant {what} never ends");
                break;
            }

            world.Blow();
            world.Rules.Look();
            // Whoever was killed or has ended by now is seen to first.
            if ((!isEnded && own.IsOver) || other is { IsOver: true }) continue;
            if (world.Time.Next()) continue;
            world.Rules.Break($"decant {what} waits for something that never comes");
            break;
        }

        other?.Dispose();
        return end;
    }

    private CommandEnd? End(SimulatedController machine, SimulatedCommand command)
    {
        var end = machine.End(command);
        var verb = command.What.Split(' ')[0];
        if (end?.Outcome is not { } outcome)
        {
            ends.Add($"{verb}: {end?.Refusal?.Reason ?? "killed"}");
            return end;
        }

        ends.Add($"{verb}: {outcome.Status}");
        if (machine.Journal.Find(outcome.Id) is { } record && record.Status != outcome.Status) world.Rules.Break($"{outcome.Id} ended as {outcome.Status} and is journaled as {record.Status}");
        if (outcome.Status is DeploymentStatus.Stopped or DeploymentStatus.Aborted or DeploymentStatus.FailedPartly or DeploymentStatus.AwaitingPromotion
            && !outcome.WhatNext.Contains($"{outcome.Id}`", StringComparison.Ordinal)) world.Rules.Break($"{outcome.Id} ended as {outcome.Status} and does not say what next: {outcome.WhatNext}");
        if (outcome.Status is DeploymentStatus.LeaseLost && outcome.WhatNext.Length == 0) world.Rules.Break($"{outcome.Id} lost its lease and does not say what next");
        if (outcome.Status is DeploymentStatus.Running or DeploymentStatus.Interrupted) world.Rules.Break($"{outcome.Id} ended as {outcome.Status}");
        if (outcome.Status is DeploymentStatus.LeaseLost && !command.Life.KnowsOfLoss) world.Rules.Break($"{outcome.Id} ended as {outcome.Status}, which nobody told it");
        return end;
    }

    private void Idle() => Wait(world.Between(0, 40_000));

    private void Wait(TimeSpan time)
    {
        var until = world.Time.Now + time;
        var over = false;
        world.Time.In(time, () => over = true);
        while (!over)
        {
            world.Blow();
            world.Rules.Look();
            world.Time.Next();
        }
    }

    private static ManifestSource Source { get; } = new("decant.yml", "");

    private static ReleaseId Release(string version, char digit) => new(ReleaseVersion.Parse(version), Sha256Digest.Parse(new string(digit, 64)));
}

/// <summary>How a seed went.</summary>
/// <param name="Seed">The seed.</param>
/// <param name="Broken">Rules that were broken.</param>
/// <param name="Trace">What happened; empty when it was not written down.</param>
/// <param name="Ends">How each command ended.</param>
internal sealed record Story(int Seed, IReadOnlyList<string> Broken, IReadOnlyList<string> Trace, IReadOnlyList<string> Ends);
