using Decant.EndToEnd.Harness;

namespace Decant.EndToEnd;

public class ForeignClientTests
{
    [Test]
    [CancelAfter(180_000)]
    public async Task A_client_in_another_language_deploys_to_one_agent_by_the_protos_alone(CancellationToken cancellation)
    {
        await using var fleet = await TestFleet.StartAsync(1, cancellation);
        var host = fleet.Hosts[0];
        var archive = await DemoRelease.BuildAsync("1.0.0", fleet.Directory, cancellation);
        var stubs = await GenerateStubsAsync(fleet.Directory, cancellation);

        var result = await CommandResult.RunAsync(
            "/usr/bin/python3",
            [
                Path.Combine(Programs.Repository, "tests", "EndToEnd", "foreign_client.py"),
                stubs, $"127.0.0.1:{host.AgentPort}", "demo", "1.0.0", archive, $"{host.AppPort}", $"demo-{host.AppPort}@127.0.0.1",
            ],
            cancellation);

        Assert.That(result.ExitCode, Is.Zero, $"{result.Everything}\n{fleet.AgentLogs()}");
        Assert.That(result.Output, Does.Contain("foreign client: ok"));
    }

    /// <summary>What any other tooling would do: protoc with its language's plugin over the .proto files.</summary>
    private static async Task<string> GenerateStubsAsync(string directory, CancellationToken cancellation)
    {
        var stubs = Directory.CreateDirectory(Path.Combine(directory, "stubs")).FullName;
        var googleapis = Directory.EnumerateDirectories(
            Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget/packages/google.api.commonprotos")).Max()!;
        var protos = Path.Combine(Programs.Repository, "protos");
        var files = Directory.EnumerateFiles(Path.Combine(protos, "decant", "v1"), "*.proto").Select(f => Path.GetRelativePath(protos, f));
        var result = await CommandResult.RunAsync(
            "/usr/bin/protoc",
            [
                $"-I{protos}", $"-I{googleapis}/content/protos", $"--python_out={stubs}", $"--grpc_python_out={stubs}",
                "--plugin=protoc-gen-grpc_python=/usr/bin/grpc_python_plugin",
                "google/rpc/status.proto", "google/rpc/error_details.proto", .. files,
            ],
            cancellation,
            workingDirectory: protos);
        Assert.That(result.ExitCode, Is.Zero, result.Everything);

        return stubs;
    }
}
