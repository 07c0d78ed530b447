using System.Text.Json;
using Decant.V1;

namespace Decant.Controller.Console;

/// <summary>Leases, for people and for machines.</summary>
internal static class LeaseText
{
    /// <summary>For how long an unlocking is news.</summary>
    private static readonly TimeSpan Recent = TimeSpan.FromDays(7);

    /// <summary>Who holds the app's lease on which hosts, and who took one away lately. Nothing where there is nothing to tell.</summary>
    /// <param name="now">The time.</param>
    /// <param name="leases">Each with the host that tells of it.</param>
    public static IEnumerable<string> Of(DateTimeOffset now, IEnumerable<(string Host, Lease Lease)> leases)
    {
        var all = leases.ToList();
        foreach (var held in all.Where(l => l.Lease.Remaining is not null).GroupBy(l => l.Lease.Holder.Id))
        {
            var lease = held.OrderByDescending(l => l.Lease.StepAt.ToDateTimeOffset()).First().Lease;
            yield return $"lease on {Hosts(held)}: {Describe(now, lease)}";
            yield return $"  it ends in {Shown.Time(lease.Remaining.ToTimeSpan())} unless its holder lives; next: wait for it, or `decant unlock --reason TEXT` takes it away";
        }

        foreach (var unlocked in all.Where(l => l.Lease.Unlocked is { } u && now - u.At.ToDateTimeOffset() < Recent).GroupBy(l => (l.Lease.Unlocked.By, l.Lease.Unlocked.Reason, l.Lease.Unlocked.Holder.Id)))
        {
            var last = unlocked.First().Lease.Unlocked;
            yield return $"unlocked on {Hosts(unlocked)} {Shown.Time(now - last.At.ToDateTimeOffset())} ago by {last.By}: {last.Reason}; it was held by {Describe(last.Holder)}";
        }
    }

    /// <summary><c>alice on ops1 (pid 4711), deploying shop 1.4.2, deployment …, since 12 s, at step "stop shop on web2"</c>.</summary>
    public static string Describe(DateTimeOffset now, Lease lease)
        => $"{Describe(lease.Holder)}, since {Shown.Time(now - lease.AcquiredAt.ToDateTimeOffset())}{(lease.Step.Length == 0 ? "" : $", at step \"{lease.Step}\"")}";

    /// <summary>A lease as fields of an object.</summary>
    public static void Write(Utf8JsonWriter writer, string host, Lease lease)
    {
        writer.WriteString("lease", lease.App);
        writer.WriteString("host", host);
        writer.WriteBoolean("held", lease.Remaining is not null);
        writer.WriteNumber("fencing_token", lease.FencingToken);
        writer.WritePropertyName("holder");
        Write(writer, lease.Holder);
        writer.WriteString("since", lease.AcquiredAt.ToDateTimeOffset());
        writer.WriteString("step", lease.Step);
        if (lease.Remaining is { } remaining) writer.WriteNumber("remaining_seconds", remaining.ToTimeSpan().TotalSeconds);
        if (lease.Unlocked is not { } unlocked) return;
        writer.WriteStartObject("unlocked");
        writer.WriteString("by", unlocked.By);
        writer.WriteString("reason", unlocked.Reason);
        writer.WriteString("at", unlocked.At.ToDateTimeOffset());
        writer.WritePropertyName("holder");
        Write(writer, unlocked.Holder);
        writer.WriteEndObject();
    }

    private static string Describe(LeaseHolder holder)
        => $"{holder.User} on {holder.Machine} (pid {holder.Pid}), {holder.Purpose}{(holder.DeploymentId.Length == 0 ? "" : $", deployment {holder.DeploymentId}")}";

    private static void Write(Utf8JsonWriter writer, LeaseHolder holder)
    {
        writer.WriteStartObject();
        writer.WriteString("user", holder.User);
        writer.WriteString("machine", holder.Machine);
        writer.WriteNumber("pid", holder.Pid);
        writer.WriteString("purpose", holder.Purpose);
        writer.WriteString("deployment", holder.DeploymentId);
        writer.WriteEndObject();
    }

    private static string Hosts(IEnumerable<(string Host, Lease Lease)> leases) => string.Join(", ", leases.Select(l => l.Host).Distinct());
}
