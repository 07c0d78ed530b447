namespace Decant.EndToEnd.Harness;

/// <summary>What any other tooling would make of the contract: protoc with its language's plugin over the .proto files.</summary>
internal static class PythonStubs
{
    /// <summary>Writes them and returns their directory.</summary>
    public static async Task<string> GenerateAsync(string directory, CancellationToken cancellation)
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
        return result.ExitCode == 0 ? stubs : throw new TestException(result.Everything);
    }
}
