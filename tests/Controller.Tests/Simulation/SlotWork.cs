using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Names;

namespace Decant.Controller.Tests.Simulation;

/// <summary>What an agent does in a slot of its own host.</summary>
internal sealed class SlotWork(World world, SimulatedOperation operation, SimulatedHost host, SlotSettings slot)
{
    private SimulatedInstance? There => host.Instances.GetValueOrDefault(slot.Name);

    public Task<StepOutcome> RunAsync() => operation.Step switch
    {
        StopStep stop => StopAsync(stop),
        StartStep start => StartAsync(start.Release),
        AwaitHealthyStep await => AwaitHealthyAsync(await),
        RetireStep retire => Task.FromResult(Retire(retire)),
        KeepStep keep => StartAsync(keep.Running),
        _ => throw new InvalidOperationException($"no agent does {operation.Step.Verb}"),
    };

    private async Task<StepOutcome> StopAsync(StopStep step)
    {
        host.Wanted.Remove(slot.Name);
        if (step.GoneBackFrom && step.Running is { } running) host.ForgetGood(running);
        if (There is not { } instance) return SimulatedAgent.Done;
        if (!instance.Stopping)
        {
            world.Rules.Stops(host, instance, operation.Id.Value);
            world.Rules.Acts(operation, () => instance.Stop(() => { }));
        }

        while (There == instance) await operation.PauseAsync(TimeSpan.FromMilliseconds(100));
        return SimulatedAgent.Done;
    }

    private async Task<StepOutcome> StartAsync(ReleaseId release)
    {
        while (There is { Stopping: true }) await operation.PauseAsync(TimeSpan.FromMilliseconds(100));
        if (There is { } present)
        {
            if (present.Release != release) return SimulatedAgent.Failed("SLOT_OCCUPIED", $"{present.Release.Version} is there");
            present.Keep();
            return SimulatedAgent.Done;
        }

        if (host.Instances.Values.Any(i => i.Slot.Port == slot.Port)) return SimulatedAgent.Failed("PORT_IN_USE", "somebody listens there");
        if (!host.Staged.Contains(release)) return SimulatedAgent.Failed("RELEASE_NOT_STAGED", "it is not there");
        world.Rules.Starts(operation, host, release);
        host.Wanted[slot.Name] = (release, slot);
        await operation.PauseAsync(world.Between(50, 500));
        if (There is null) host.Launch(release, slot);
        return SimulatedAgent.Done;
    }

    private async Task<StepOutcome> AwaitHealthyAsync(AwaitHealthyStep step)
    {
        if (There is not { } instance) return SimulatedAgent.Failed("NOT_RUNNING", "nothing runs there");
        if (instance.Release != step.Release) return SimulatedAgent.Failed("WRONG_RELEASE", $"{instance.Release.Version} runs there");
        if (!await operation.UntilAsync(() => instance.LooksHealthy, step.Deadline)) return SimulatedAgent.Failed("NOT_HEALTHY", "it never answered");
        await operation.PauseAsync(step.MinHealthy);
        if (!instance.LooksHealthy) return SimulatedAgent.Failed("NOT_HEALTHY", "it did not stay healthy");
        host.MarkGood(step.Release);
        return SimulatedAgent.Done;
    }

    private StepOutcome Retire(RetireStep step)
    {
        if (There is not { } instance) return SimulatedAgent.Done;
        world.Rules.Stops(host, instance, operation.Id.Value);
        instance.Retire(step.Keep);
        return SimulatedAgent.Done;
    }
}
