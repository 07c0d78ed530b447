using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;

namespace Decant.Controller.Tests.Simulation;

/// <summary>What an agent does at a balancer. A balancer that falls silent in the middle has done what it was told before.</summary>
internal sealed class BalancerWork(World world, SimulatedOperation operation, SimulatedBalancer balancer)
{
    public Task<StepOutcome> RunAsync(MemberStep step) => balancer.IsSilent ? Task.FromResult(SimulatedAgent.Silent) : step switch
    {
        DrainStep drain => DrainAsync(drain),
        UndrainStep undrain => UndrainAsync(undrain),
        RemoveMemberStep remove => Task.FromResult(Remove(remove)),
        _ => throw new InvalidOperationException($"no agent does {step.Verb}"),
    };

    public async Task<StepOutcome> MoveAsync(MoveStep step)
    {
        if (balancer.IsSilent) return SimulatedAgent.Silent;
        if (step.Moves.Any(m => Member(m.Into.Name, m.OutOf) is null)) return SimulatedAgent.Failed("MEMBER_NOT_FOUND", "there is no such member");
        var putIn = new List<SimulatedMember>();
        foreach (var move in step.Moves)
        {
            if (PutIn(move.Into, move.Address is not null, 100, out var isNew) is not { } member) return SimulatedAgent.Failed("MEMBER_NOT_FOUND", "there is no such member");
            if (isNew) putIn.Add(member);
        }

        try
        {
            if (!await operation.UntilAsync(() => !balancer.IsSilent && step.Moves.All(m => balancer.IsUp(m.Into.Name, m.Into.Slot.Name)), step.Deadline))
            {
                if (balancer.IsSilent) return SimulatedAgent.Silent;
                PutBack(putIn);
                return SimulatedAgent.Failed("MEMBER_NOT_UP", "it is not up");
            }
        }
        catch (OperationCanceledException)
        {
            PutBack(putIn);
            throw;
        }

        foreach (var move in step.Moves)
        {
            world.Rules.Acts(operation, () => Member(move.Into.Name, move.OutOf)?.TakeOut());
            await operation.PauseAsync(TimeSpan.FromMilliseconds(1));
        }

        if (world.Chance(world.Weather.SplitsMoves)) world.Balancers.FirstOrDefault(b => b != balancer)?.Hang(world.Between(5_000, 60_000));
        return SimulatedAgent.Done;
    }

    private async Task<StepOutcome> DrainAsync(DrainStep step)
    {
        if (Member(step.At.Name, step.At.Slot) is not { } member) return SimulatedAgent.Failed("MEMBER_NOT_FOUND", "there is no such member");
        if (member.Ready)
        {
            if (!await operation.UntilAsync(() => !balancer.IsSilent
                && (!balancer.IsUp(step.At.Name, step.At.Slot.Name) || balancer.OthersUp(step.At.Name, step.At.Slot.Name) >= step.MinOthersUp), step.Deadline))
                return balancer.IsSilent ? SimulatedAgent.Silent : SimulatedAgent.Failed("TOO_FEW_IN_ROTATION", "too few others are up");
            world.Rules.Acts(operation, member.TakeOut);
        }

        // Requests in flight finish, or have had their time.
        await operation.PauseAsync(member.Drained ? TimeSpan.Zero : TimeSpan.FromTicks(Math.Min(step.Deadline.Ticks, world.Between(100, 8_000).Ticks)));
        if (balancer.IsSilent) return SimulatedAgent.Silent;
        if (member.Ready) return SimulatedAgent.Failed("BALANCER_REFUSED", "it is put back again and again");
        member.Drained = true;
        return SimulatedAgent.Done;
    }

    private async Task<StepOutcome> UndrainAsync(UndrainStep step)
    {
        if (PutIn(step.At, step.Address is not null, step.Weight, out _) is null) return SimulatedAgent.Failed("MEMBER_NOT_FOUND", "there is no such member");
        return await operation.UntilAsync(() => !balancer.IsSilent && balancer.IsUp(step.At.Name, step.At.Slot.Name), step.Deadline) ? SimulatedAgent.Done
            : balancer.IsSilent ? SimulatedAgent.Silent
            : SimulatedAgent.Failed("MEMBER_NOT_UP", "it is not up");
    }

    private StepOutcome Remove(RemoveMemberStep step)
    {
        if (Member(step.At.Name, step.At.Slot) is not { } member) return SimulatedAgent.Done;
        if (member.Ready) return SimulatedAgent.Failed("MEMBER_IN_ROTATION", "it takes requests");
        if (balancer.IsManaged) balancer.Remove(step.At.Name, step.At.Slot.Name);
        return SimulatedAgent.Done;
    }

    private SimulatedMember? PutIn(ManifestHost at, bool hasAddress, int weight, out bool isNew)
    {
        isNew = false;
        if (Member(at.Name, at.Slot) is null)
        {
            if (!balancer.IsManaged || !hasAddress) return null;
            balancer.Add(at.Name, at.Slot.Name);
        }

        var member = Member(at.Name, at.Slot)!;
        isNew = !member.Ready;
        if (isNew || member.Weight != weight) member.PutIn(weight);
        return member;
    }

    private static void PutBack(List<SimulatedMember> putIn)
    {
        foreach (var member in putIn) member.TakeOut();
    }

    private SimulatedMember? Member(HostName host, SlotSettings slot) => balancer.MemberOf(host, slot.Name);
}
