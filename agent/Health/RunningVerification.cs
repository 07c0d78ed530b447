using Decant.Agent.Elixir;
using Decant.Agent.Instances;
using Decant.Agent.Operations;

namespace Decant.Agent.Health;

/// <summary>What runs in a slot, asked from the node itself; from its process where there is no distribution. Never assumed.</summary>
internal sealed class RunningVerification(ReleaseScript script, Epmd epmd, TimeProvider time)
{
    private const string Mark = "decant-verify";
    private static readonly TimeSpan RpcLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    /// <summary>
    /// The boot script's own name and version (init:script_id/0 of the release's boot file) and the directory that it was started from.
    /// </summary>
    private const string Question =
        $"{{_, vsn}} = :init.script_id(); IO.puts(Enum.join([\"{Mark}\", vsn, System.get_env(\"RELEASE_ROOT\"), node()], \"|\"))";

    /// <summary>Asks until the node answers (it may still boot), and checks the answer.</summary>
    /// <exception cref="Errors.OperatorException">WRONG_RELEASE.</exception>
    public async Task<RunningRelease> VerifyAsync(ReleaseInSlot wanted, InstanceRun run, CancellationToken cancellation)
    {
        var found = wanted.Spec.Distribution ? await AskNodeAsync(wanted, cancellation) : await ReadProcessAsync(run, cancellation);
        var root = Path.GetFullPath(wanted.Release.Root);
        if (found.Version != wanted.Release.Id.Version.Value || Path.GetFullPath(found.Root) != root)
        {
            throw InstanceErrors.WrongRelease(
                wanted.Key, $"{wanted.Release.Id.Version} from {root}", $"{found.Version} from {found.Root}", found.Source);
        }

        return found;
    }

    private async Task<RunningRelease> AskNodeAsync(ReleaseInSlot wanted, CancellationToken cancellation)
    {
        while (true)
        {
            // A VM for each question is dear: none is asked before the node is there. epmd gives no event for it.
            while (!await epmd.IsRegisteredAsync(wanted.Spec.Node, cancellation)) await Task.Delay(Pause, time, cancellation);
            var end = await script.RpcAsync(wanted, Question, RpcLimit, null, cancellation);
            var answer = end.Tail.Select(l => l.Text.Split('|')).FirstOrDefault(parts => parts is [Mark, _, _, _]);
            if (end.Succeeded && answer is not null) return new RunningRelease(answer[1], answer[2], answer[3], "node");
            await Task.Delay(Pause * 4, time, cancellation);
        }
    }

    private async Task<RunningRelease> ReadProcessAsync(InstanceRun run, CancellationToken cancellation)
    {
        while (true)
        {
            if (TryReadProcess(run.Process.Identity.Pid) is { } found) return found;
            await Task.Delay(Pause, time, cancellation);
        }
    }

    /// <summary>Null: the process is still the script, which has not become the VM yet, or it is gone.</summary>
    private static RunningRelease? TryReadProcess(int pid)
    {
        string text;
        try
        {
            text = File.ReadAllText($"/proc/{pid}/environ");
        }
        catch (UnauthorizedAccessException)
        {
            // It runs as another user: its command line is for everybody.
            return TryReadCommandLine(pid);
        }
        catch (IOException)
        {
            return null;
        }

        var environment = text.Split('\0', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split('=', 2))
            .Where(parts => parts.Length == 2)
            .GroupBy(parts => parts[0])
            .ToDictionary(g => g.Key, g => g.Last()[1]);
        return environment.TryGetValue("RELEASE_VSN", out var version) && environment.TryGetValue("RELEASE_ROOT", out var root)
            ? new RunningRelease(version, root, "", "process")
            : null;
    }

    /// <summary>A VM of a release is given its boot file: <c>-boot ROOT/releases/VERSION/start</c> (mix release's own script).</summary>
    private static RunningRelease? TryReadCommandLine(int pid)
    {
        try
        {
            var boot = File.ReadAllText($"/proc/{pid}/cmdline").Split('\0').SkipWhile(argument => argument != "-boot").Skip(1).FirstOrDefault();
            return boot?.Split('/') is [.. var root, "releases", var version, _] ? new RunningRelease(version, string.Join('/', root), "", "process") : null;
        }
        catch (IOException)
        {
            return null;
        }
    }
}
