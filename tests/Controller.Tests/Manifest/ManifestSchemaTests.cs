using System.Text.Json;
using CsCheck;
using Decant.Controller.Manifest;
using Decant.Names;

namespace Decant.Controller.Tests.Manifest;

public class ManifestSchemaTests
{
    private static IEnumerable<string> Parts => ManifestKeys.Parts.Keys;

    private static IEnumerable<TestCaseData> Keys
        => ManifestKeys.Parts.SelectMany(p => p.Value.Select(k => new TestCaseData(p.Key, k)));

    [TestCaseSource(nameof(Parts))]
    public void The_schema_knows_the_keys_that_the_reader_knows(string part)
    {
        using var schema = JsonDocument.Parse(ManifestSchema.Text);
        var keys = PartOf(schema.RootElement, part).GetProperty("properties").EnumerateObject().Select(p => p.Name);

        Assert.That(keys, Is.EquivalentTo(ManifestKeys.Parts[part]));
    }

    [TestCaseSource(nameof(Parts))]
    public void The_schema_refuses_other_keys(string part)
    {
        using var schema = JsonDocument.Parse(ManifestSchema.Text);

        Assert.That(PartOf(schema.RootElement, part).GetProperty("additionalProperties").GetBoolean(), Is.False);
    }

    [TestCaseSource(nameof(Keys))]
    public void The_reader_reads_every_key_that_it_accepts(string part, string key)
    {
        var path = part.Replace("*", "web1", StringComparison.Ordinal).Split('.', StringSplitOptions.RemoveEmptyEntries).Append(key).ToList();
        var text = string.Concat(path.Select((word, depth) => $"{new string(' ', depth)}{word}:\n")).TrimEnd() + " [[]]\n";

        var errors = ((ManifestResult.Invalid)ManifestReader.Read(text)).Errors;

        Assert.That(errors.Select(e => e.Path), Has.Some.EqualTo(string.Join('.', path)), string.Join('\n', errors.Select(e => e.Describe("decant.yml"))));
    }

    [Test]
    public void The_schemas_defaults_are_the_readers()
    {
        using var schema = JsonDocument.Parse(ManifestSchema.Text);
        var strategy = PartOf(schema.RootElement, "strategy").GetProperty("properties");
        var (canary, longLived) = (strategy.GetProperty("canary").GetProperty("properties"), strategy.GetProperty("long_lived").GetProperty("properties"));
        var health = PartOf(schema.RootElement, "health").GetProperty("properties");

        Assert.Multiple(() =>
        {
            foreach (var (part, key, value) in new[]
            {
                (strategy, "min_healthy", ManifestDefaults.MinHealthy), (strategy, "healthy_deadline", ManifestDefaults.HealthyDeadline),
                (strategy, "drain_timeout", ManifestDefaults.DrainTimeout), (strategy, "stop_timeout", ManifestDefaults.StopTimeout),
                (strategy, "term_timeout", ManifestDefaults.TermTimeout), (strategy, "undrain_timeout", ManifestDefaults.UndrainTimeout),
                (strategy, "keep_old", ManifestDefaults.KeepOld), (canary, "bake", ManifestDefaults.Bake),
                (longLived, "close_after", ManifestDefaults.CloseAfter), (longLived, "spread", ManifestDefaults.Spread),
                (health, "interval", ManifestDefaults.Interval), (health, "start_interval", ManifestDefaults.StartInterval),
                (health, "timeout", ManifestDefaults.CheckTimeout),
            })
            {
                Assert.That(DurationText.TryParse(part.GetProperty(key).GetProperty("default").GetString(), out var said), key);
                Assert.That(said, Is.EqualTo(value.Default), key);
            }
        });
    }

    [Test]
    public void The_manifest_that_init_writes_is_valid_for_any_app()
        => Gen.Char["abcdefghijklmnopqrstuvwxyz0123456789_"].Array[1, 20].Where(c => c[0] != '_' && new string(c) != "null").Sample(
            name => Manifests.Read(ManifestTemplate.For(AppName.Parse(new string(name)))).App.Value == new string(name), iter: 200);

    [Test]
    public void The_manifest_that_init_writes_is_valid_with_its_examples_switched_on()
    {
        var lines = ManifestTemplate.For(AppName.Parse("my_shop")).Split('\n')
            .Select(line => line.Contains("tcp:", StringComparison.Ordinal) || line.Contains("rpc:", StringComparison.Ordinal) ? "" : line)
            // One slot or two, and one strategy: these examples exclude others.
            .Select(line => new[] { "slots:", "{ port: 400", "canary: {", "long_lived:", "window:", "order:" }.Any(line.Contains) ? "" : line)
            .Select(line => System.Text.RegularExpressions.Regex.Replace(line, "^( *)# ( *[a-zA-Z_]+:( |$))", "$1$2"))
            .Where(line => !line.StartsWith("yaml-language-server", StringComparison.Ordinal) && !line.StartsWith("decant.yml:", StringComparison.Ordinal));

        var manifest = Manifests.Read(string.Join('\n', lines));

        Assert.Multiple(() =>
        {
            Assert.That(manifest.Migrations?.Expression, Is.EqualTo("MyShop.Release.migrate()"));
            Assert.That(manifest.Strategy, Is.EqualTo(ManifestDefaults.Strategy));
            Assert.That(manifest.Hosts[0].Slot.Environment, Is.EquivalentTo(new Dictionary<string, string> { ["POOL_SIZE"] = "20" }));
        });
    }

    private static JsonElement PartOf(JsonElement schema, string part) => part switch
    {
        "" => schema,
        "hosts.*" => schema.GetProperty("$defs").GetProperty("host"),
        "slots.*" or "hosts.*.slots.*" => schema.GetProperty("$defs").GetProperty("oneOfSlots"),
        "balancers.*" => schema.GetProperty("$defs").GetProperty("balancer"),
        _ => part.Split('.').Aggregate(schema, (at, key) => at.GetProperty("properties").GetProperty(key)),
    };
}
