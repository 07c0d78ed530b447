using System.Globalization;
using Decant.Names;

namespace Decant.Agent.Leases;

/// <summary>The right to change an app on this host.</summary>
/// <param name="App">The app.</param>
/// <param name="Token">Higher than those of all leases before it.</param>
/// <param name="Holder">Who has it.</param>
/// <param name="Duration">How long it lasts without a renewal.</param>
/// <param name="AcquiredAt">Wall clock, for people.</param>
/// <param name="Step">What the holder last said that it does; may be empty.</param>
/// <param name="StepAt">When it said so.</param>
internal sealed record Lease(
    AppName App, FencingToken Token, LeaseHolder Holder, TimeSpan Duration, DateTimeOffset AcquiredAt, string Step, DateTimeOffset StepAt)
{
    /// <summary>For people: who, since when, at which step.</summary>
    public string Describe() => string.Create(
        CultureInfo.InvariantCulture, $"{Holder.Describe()}, since {AcquiredAt:yyyy-MM-dd HH:mm:ss} UTC{(Step.Length == 0 ? "" : $", at step \"{Step}\"")}");
}

/// <summary>Who holds a lease. All but the id is for people, or for programs of the holder's kind.</summary>
/// <param name="Id">The holder's own name for it: a repeated call has the same.</param>
/// <param name="User">Who.</param>
/// <param name="Machine">Where.</param>
/// <param name="Purpose">What for: <c>deploying shop 1.4.2</c>.</param>
/// <param name="Pid">The process that renews it; 0: not said.</param>
/// <param name="Process">Which process that is; opaque.</param>
/// <param name="Deployment">For which deployment.</param>
internal sealed record LeaseHolder(string Id, string User, string Machine, string Purpose, int Pid, string Process, DeploymentId? Deployment)
{
    /// <summary><c>alice on ops1 (pid 4711), deploying shop 1.4.2, deployment 20261125-101502-k3f9</c>.</summary>
    public string Describe()
    {
        var who = (User.Length, Machine.Length) switch
        {
            (0, 0) => "",
            (0, _) => $"somebody on {Machine}",
            (_, 0) => User,
            _ => $"{User} on {Machine}",
        };
        return string.Join(", ", new[] { $"{who}{(Pid == 0 ? "" : $" (pid {Pid})")}".Trim(), Purpose, Deployment is null ? "" : $"deployment {Deployment}" }.Where(p => p.Length > 0));
    }
}

/// <summary>A lease was taken away from its holder.</summary>
/// <param name="By">Who did it.</param>
/// <param name="Reason">Why.</param>
/// <param name="At">When.</param>
/// <param name="Holder">Whose it was.</param>
/// <param name="Token">Its token.</param>
internal sealed record Unlocking(string By, string Reason, DateTimeOffset At, LeaseHolder Holder, FencingToken Token);

/// <summary>What the book has of an app: its last lease and its last unlocking.</summary>
/// <param name="Lease">The last lease that was given.</param>
/// <param name="IsOver">It was given back, or taken away. One that expired is not over: its holder may renew it until somebody takes it.</param>
/// <param name="Newest">At least the lease's token; higher where the lease was taken away.</param>
/// <param name="Unlocked">The last unlocking; null: there was none.</param>
internal sealed record LeasePage(Lease Lease, bool IsOver, FencingToken Newest, Unlocking? Unlocked);

/// <summary>A page as it is now.</summary>
/// <param name="Page">The page.</param>
/// <param name="Remaining">Until the lease expires; null: nobody holds it.</param>
internal sealed record LeaseView(LeasePage Page, TimeSpan? Remaining);
