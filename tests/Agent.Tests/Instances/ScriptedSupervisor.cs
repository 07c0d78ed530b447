using Decant.Agent.Elixir;
using Decant.Agent.Instances;
using Decant.Agent.Supervision;
using Decant.Names;

namespace Decant.Agent.Tests.Instances;

/// <summary>A supervisor whose processes live and die as the test says, by the test's clock.</summary>
internal sealed class ScriptedSupervisor(string logDirectory, TimeProvider time) : ISupervisor
{
    public string Name => "scripted";

    public List<Scripted> Started { get; } = [];

    /// <summary>What the next start ends with instead.</summary>
    public Exception? Failure { get; set; }

    /// <summary>What runs in a slot and was not started by this agent.</summary>
    public ISupervisedProcess? Adopted { get; set; }

    public Task<ISupervisedProcess> StartAsync(ReleaseInSlot target, CancellationToken cancellation)
    {
        lock (Started)
        {
            if (Failure is { } failure)
            {
                Failure = null;
                return Task.FromException<ISupervisedProcess>(failure);
            }

            Started.Add(new Scripted(target.Release.Id, Started.Count + 1, time.GetUtcNow()));
            return Task.FromResult<ISupervisedProcess>(Started[^1]);
        }
    }

    public event Action<InstanceKey>? StartedByOthers
    {
        add { }
        remove { }
    }

    public Task<ISupervisedProcess?> AdoptAsync(InstanceKey key) => Task.FromResult(Adopted);

    public Task<ProcessExit?> LastExitAsync(InstanceKey key) => Task.FromResult<ProcessExit?>(null);

    public IInstanceLog Log(InstanceKey key) => new InstanceLog(logDirectory);

    public Task<CommandEnd> RunAsync(CommandOrder order, CancellationToken cancellation) => throw new NotSupportedException();

    public Task<string> StartPortMapperAsync(string program, int port, CancellationToken cancellation) => throw new NotSupportedException();

    internal sealed class Scripted(ReleaseId release, int number, DateTimeOffset startedAt) : ISupervisedProcess
    {
        private readonly TaskCompletionSource<ProcessExit> exited = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public ProcessIdentity Identity { get; init; } = new(int.MaxValue, number, "scripted");

        public ReleaseId Release => release;

        public DateTimeOffset StartedAt => startedAt;

        public Task<ProcessExit> Exited => exited.Task;

        public void Die(int code, DateTimeOffset at, ExitCause cause = ExitCause.ItselfOrAgent) => exited.TrySetResult(new ProcessExit(code, at, cause));

        public void Signal(int signal) => throw new NotSupportedException();

        public void Dispose()
        {
            // It holds nothing.
        }
    }
}
