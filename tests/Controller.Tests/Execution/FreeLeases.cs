using Decant.Controller.Fleet;
using Decant.Errors;
using Decant.Names;

namespace Decant.Controller.Tests.Execution;

/// <summary>Leases that nobody else wants.</summary>
internal sealed class FreeLeases : IHostLeases
{
    public Task<LeaseAnswer> AcquireAsync(AgentAddress agent, WantedLease wanted, CancellationToken cancellation)
        => Task.FromResult<LeaseAnswer>(new LeaseAnswer.Ours());

    public Task<LeaseAnswer> RenewAsync(AgentAddress agent, AppName app, string step, CancellationToken cancellation)
        => Task.FromResult<LeaseAnswer>(new LeaseAnswer.Ours());

    public Task ReleaseAsync(AgentAddress agent, AppName app) => Task.CompletedTask;

    public Task<OperatorError?> UnlockAsync(AgentAddress agent, HeldLease held, string by, string reason, CancellationToken cancellation)
        => Task.FromResult<OperatorError?>(null);
}
