using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Controller.Tests.Simulation;

/// <summary>The fleet as one controller's process reaches it: over a network that loses, delays and repeats. A dead process hears nothing any more.</summary>
internal sealed class NetworkFleet(World world, ControllerLife life) : IFleet
{
    private readonly NetworkLeases leases = new(world, life);

    public IHostLeases Leases => leases;

    public Task<HostObservation> ObserveAsync(ManifestHost host, AppName app, CancellationToken cancellation) => AskAsync<HostObservation>(
        host.Agent, () => world.Host(host.Name).Seen(), () => new HostObservation.Unreachable(Gone(host.Agent)), cancellation);

    public Task<BalancerObservation> ObserveAsync(ManifestBalancer balancer, ManifestHost host, CancellationToken cancellation)
    {
        var seat = world.Balancer(balancer, host.Name);
        return AskAsync<BalancerObservation>(
            balancer.AgentOf(host),
            () => seat.IsSilent
                ? new BalancerObservation.Unreachable(new OperatorError(StatusCode.Unavailable, "BALANCER_UNREACHABLE", $"{seat.Seat} does not answer"))
                : seat.Seen(),
            () => new BalancerObservation.Unreachable(Gone(balancer.AgentOf(host))),
            cancellation);
    }

    public Task<StepOutcome> RunAsync(
        Step step, OperationId operation, DeploymentId deployment, Action<StepProgress> progress, CancellationToken cancellation)
    {
        var answer = new TaskCompletionSource<StepOutcome>();
        var agent = world.Agent(step.Agent);
        if (life.IsDead) return answer.Task;
        if (life.KnowsOfLoss) world.Rules.Break($"{life} asks for {operation} although it was told that its lease is lost");
        var token = leases.TokenAt(step.Agent);

        void Hear(TimeSpan wait, StepOutcome outcome) => world.Time.In(wait, () => life.Do(() =>
        {
            if (outcome is StepOutcome.Failed failed) life.Learn(failed.Error);
            answer.TrySetResult(outcome);
        }));
        void Lose(TimeSpan wait) => Hear(wait, new StepOutcome.Unknown(Gone(step.Agent)));
        void Send(TimeSpan wait, bool isRepeated) => world.Time.In(wait, () =>
        {
            if (!agent.IsUp || IsCutOff(agent))
            {
                if (!isRepeated) Lose(IsCutOff(agent) ? world.Between(5_000, 15_000) : world.Between(1, 20));
                return;
            }

            if (!isRepeated) life.Do(() => progress(new StepProgress.Message("working")));
            agent.Call(step, operation, deployment, token, life, outcome =>
            {
                if (isRepeated) return;
                if (outcome is null) Lose(world.Between(1, 20));
                else if (IsCutOff(agent) || world.Chance(world.Weather.LosesReplies)) Lose(world.Between(1_000, 20_000));
                else Hear(world.Chance(world.Weather.DelaysReplies) ? world.Between(1_000, 30_000) : world.Between(1, 20), outcome);
            });
        });

        if (world.Chance(world.Weather.LosesRequests)) Lose(world.Between(1_000, 20_000));
        else Send(world.Between(1, 20), isRepeated: false);
        if (world.Chance(world.Weather.RepeatsRequests)) Send(world.Between(20, 10_000), isRepeated: true);
        cancellation.Register(() => world.Time.In(world.Between(1, 20), () => life.Do(() =>
        {
            if (agent.IsReachable && !life.IsCutOff) agent.Cancel(operation);
            answer.TrySetCanceled(cancellation);
        })));
        return answer.Task;
    }

    private bool IsCutOff(SimulatedAgent agent) => agent.IsCutOff || life.IsCutOff;

    private Task<T> AskAsync<T>(AgentAddress address, Func<T> answer, Func<T> silence, CancellationToken cancellation)
    {
        var heard = new TaskCompletionSource<T>();
        var agent = world.Agent(address);
        void Hear(TimeSpan wait, T what) => world.Time.In(wait, () => life.Do(() => heard.TrySetResult(what)));
        world.Time.In(world.Between(1, 20), () =>
        {
            if (!agent.IsUp) Hear(world.Between(1, 20), silence());
            else if (IsCutOff(agent) || world.Chance(world.Weather.LosesRequests) || world.Chance(world.Weather.LosesReplies)) Hear(TimeSpan.FromSeconds(10), silence());
            else Hear(world.Between(1, 20), answer());
        });
        cancellation.Register(() => world.Time.In(TimeSpan.FromMilliseconds(1), () => life.Do(() => heard.TrySetCanceled(cancellation))));
        return heard.Task;
    }

    private static OperatorError Gone(AgentAddress agent) => new(StatusCode.Unavailable, "AGENT_UNREACHABLE", $"{agent} does not answer");
}
