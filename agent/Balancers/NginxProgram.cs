using System.Diagnostics;
using Decant.Agent.Configuration;
using Decant.Names;

namespace Decant.Agent.Balancers;

/// <summary>The nginx program, run to ask and to test; it never serves.</summary>
internal sealed class NginxProgram(BalancerName balancer, BalancerSettings.Nginx settings, TableTimings timings)
{
    /// <summary>The program's version: <c>1.22.1</c>.</summary>
    public async Task<string> ReadVersionAsync(CancellationToken cancellation)
    {
        var (_, _, words) = await RunAsync(["-v"], cancellation);
        return words.Split('/').Last().Split(' ')[0].Trim();
    }

    /// <summary>Lets nginx read its whole configuration (<c>nginx -T</c>: test, and show what was read).</summary>
    /// <param name="file">What must be among the files that it reads.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <returns>Null when it is good; otherwise nginx's own words.</returns>
    /// <exception cref="Errors.OperatorException">BALANCER_REFUSED: the file is not among them. BALANCER_UNREACHABLE: nginx cannot be run.</exception>
    public async Task<string?> WhyNotAsync(string file, CancellationToken cancellation)
    {
        var (exit, shown, words) = await RunAsync(["-T", "-q", "-c", settings.Config], cancellation);
        if (exit != 0) return words.Length == 0 ? $"nginx -t exits with {exit}" : words;
        return shown.Contains($"# configuration file {file}:", StringComparison.Ordinal)
            ? null
            : throw BalancerErrors.ConfigurationRefused(
                balancer, $"{settings.Config} does not include {file}", "what is written there would change nothing", "nothing was changed",
                $"put \"include {settings.Upstreams}/*.conf;\" into the http block of {settings.Config} and reload nginx");
    }

    private async Task<(int Exit, string Output, string Words)> RunAsync(string[] arguments, CancellationToken cancellation)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(timings.Answer);
        Process? nginx = null;
        try
        {
            nginx = Process.Start(new ProcessStartInfo(settings.Program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            var output = nginx.StandardOutput.ReadToEndAsync(patience.Token);
            var words = nginx.StandardError.ReadToEndAsync(patience.Token);
            await nginx.WaitForExitAsync(patience.Token);
            return (nginx.ExitCode, await output, string.Join("; ", (await words).Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)));
        }
        catch (System.ComponentModel.Win32Exception missing)
        {
            throw BalancerErrors.Unreachable(balancer, missing.Message, "name nginx's program in agent.yml (program)", missing);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw BalancerErrors.Unreachable(
                balancer, $"{settings.Program} {string.Join(' ', arguments)} has not ended within {timings.Answer.TotalSeconds:0.#} s", "run it by hand and see what it waits for (a host name that does not resolve, mostly)");
        }
        finally
        {
            if (nginx is { HasExited: false }) nginx.Kill();
            nginx?.Dispose();
        }
    }
}
