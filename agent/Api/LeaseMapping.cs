using Decant.Agent.Leases;
using Decant.Names;
using Google.Protobuf.WellKnownTypes;

namespace Decant.Agent.Api;

/// <summary>Leases as the contract has them: the one place that knows both.</summary>
internal static class LeaseMapping
{
    public static V1.Lease ToMessage(LeaseView view)
    {
        var lease = view.Page.Lease;
        return new V1.Lease
        {
            App = lease.App.Value,
            FencingToken = lease.Token.ToWire(),
            Holder = ToMessage(lease.Holder),
            AcquiredAt = Timestamp.FromDateTimeOffset(lease.AcquiredAt),
            Step = lease.Step,
            StepAt = Timestamp.FromDateTimeOffset(lease.StepAt),
            Duration = Duration.FromTimeSpan(lease.Duration),
            Remaining = view.Remaining is { } remaining ? Duration.FromTimeSpan(remaining) : null,
            Unlocked = view.Page.Unlocked is not { } unlocked ? null : new V1.Unlocking
            {
                By = unlocked.By,
                Reason = unlocked.Reason,
                At = Timestamp.FromDateTimeOffset(unlocked.At),
                Holder = ToMessage(unlocked.Holder),
                FencingToken = unlocked.Token.ToWire(),
            },
        };
    }

    /// <summary>Reads who wants a lease.</summary>
    public static LeaseHolder ReadHolder(RequestReader reader, V1.LeaseHolder? holder)
    {
        holder ??= new V1.LeaseHolder();
        var id = reader.Required<OperationId>("holder.id", holder.Id, OperationId.TryParse);
        if (holder.Pid > int.MaxValue) reader.Wrong("holder.pid", $"{holder.Pid} is no process id");
        return new LeaseHolder(
            id?.Value ?? "",
            reader.Text("holder.user", holder.User, 64),
            reader.Text("holder.machine", holder.Machine, 255),
            reader.Text("holder.purpose", holder.Purpose, 200, required: true),
            (int)Math.Min(holder.Pid, int.MaxValue),
            reader.Text("holder.process", holder.Process, 200),
            reader.Optional<DeploymentId>("holder.deployment_id", holder.DeploymentId, DeploymentId.TryParse));
    }

    private static V1.LeaseHolder ToMessage(LeaseHolder holder) => new()
    {
        Id = holder.Id,
        User = holder.User,
        Machine = holder.Machine,
        Purpose = holder.Purpose,
        Pid = (uint)holder.Pid,
        Process = holder.Process,
        DeploymentId = holder.Deployment?.Value ?? "",
    };
}
