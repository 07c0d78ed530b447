using System.Text;
using Decant.Agent.Configuration;
using Decant.Agent.Elixir;
using Decant.Agent.Operations;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Agent.Balancers;

/// <summary>Runs the program of a command balancer: no shell, a clean environment, a deadline, and bounded output (decant-balancer(7)).</summary>
internal sealed class CommandRun(BalancerName balancer, BalancerSettings.Command settings, TimeProvider time) : IDisposable
{
    /// <summary>The program's word for: the balancer does not answer (EX_UNAVAILABLE of sysexits.h).</summary>
    public const int Unavailable = 69;

    private const int MaxOutput = 1 << 20;
    private const int ShownLines = 5;
    private const int ShownLength = 1000;

    /// <summary>One run at a time: programs need not think of each other.</summary>
    private readonly SemaphoreSlim turn = new(1, 1);

    /// <summary>Runs it.</summary>
    /// <param name="arguments">The verb and what it is about; each is one element of argv.</param>
    /// <param name="cancellation">Ends it, and throws.</param>
    /// <returns>What it printed on its standard output.</returns>
    /// <exception cref="OperatorException">BALANCER_UNREACHABLE, BALANCER_REFUSED.</exception>
    public async Task<string> RunAsync(IReadOnlyList<string> arguments, CancellationToken cancellation)
    {
        var shown = $"{settings.Program} {string.Join(' ', arguments)}";
        if (!File.Exists(settings.Program))
            throw BalancerErrors.Unreachable(balancer, $"{settings.Program} is not there", "install it, or correct the balancer's program in agent.yml");
        if ((File.GetUnixFileMode(settings.Program) & (UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute)) == 0)
            throw BalancerErrors.Unreachable(balancer, $"{settings.Program} is not executable", $"chmod +x {settings.Program}");

        var output = new StringBuilder();
        var errors = new Queue<string>();
        await turn.WaitAsync(cancellation);
        CommandEnd end;
        try
        {
            end = await ReleaseCommand.RunAsync(new CommandOrder(settings.Program, arguments, Environment(), "/", settings.Timeout) { Line = Take }, time, cancellation);
        }
        finally
        {
            turn.Release();
        }

        var said = Said(errors);
        if (end.TimedOut)
        {
            throw BalancerErrors.Unreachable(
                balancer, $"\"{shown}\" had not ended after {Quantity.Shown(settings.Timeout)} and was killed{said}", "run it by hand and see what it waits for, or give it a longer timeout in agent.yml");
        }

        if (end.ExitCode == Unavailable)
            throw BalancerErrors.Unreachable(balancer, $"\"{shown}\" cannot reach it{said}", "see whether the balancer runs, and whether this host may drive it");
        if (end.ExitCode != 0) throw Failed(shown, end.ExitCode!.Value, said);
        return output.Length <= MaxOutput
            ? output.ToString()
            : throw BalancerErrors.Unreachable(balancer, $"\"{shown}\" printed more than {MaxOutput >> 20} MiB", "run it by hand: it must print one JSON object");

        void Take(OutputLine line)
        {
            if (!line.IsError)
            {
                if (output.Length <= MaxOutput) output.Append(line.Text).Append('\n');
                return;
            }

            errors.Enqueue(line.Text);
            if (errors.Count > ShownLines) errors.Dequeue();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => turn.Dispose();

    private static string Said(IEnumerable<string> errors)
    {
        var text = string.Join(" | ", errors.Select(l => string.Concat(l.Select(c => char.IsControl(c) ? ' ' : c)).Trim()).Where(l => l.Length > 0));
        return text.Length == 0 ? ", and said nothing on its standard error" : $": {(text.Length > ShownLength ? text[^ShownLength..] : text)}";
    }

    /// <summary>Nothing of the agent's own but what programs of a cloud look for.</summary>
    private Dictionary<string, string> Environment() => new()
    {
        ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ["HOME"] = System.Environment.GetEnvironmentVariable("HOME") is { Length: > 0 } home ? home : "/",
        ["LANG"] = "C.UTF-8",
        ["DECANT_BALANCER"] = balancer.Value,
    };

    private OperatorException Failed(string command, int exitCode, string said) => new(new OperatorError(
        StatusCode.FailedPrecondition,
        "BALANCER_REFUSED",
        $"balancer {balancer}: \"{command}\" ended with exit code {exitCode}{said}",
        "run it by hand, and look at the member in the balancer before going on").With("balancer", balancer.Value).With("state", "unknown"));
}
