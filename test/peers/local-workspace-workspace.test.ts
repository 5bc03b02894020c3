/** The official SDK keeps notebooks and files in the local workspace, and says who may do what with them. */
import { systemClock } from "../../src/clock.ts";
import { startLocalWorkspace } from "../../src/local-workspace/workspace.ts";
import { testDocumentedRoutes } from "./documented-routes.ts";
import { driveSdk, sdk } from "./drive-sdk.ts";

const workspace = await startLocalWorkspace({
  otlpUrl: null,
  clock: systemClock,
  principals: { "ann@example.com": "token-of-ann", deployer: "token-of-deployer" },
});
const source = "# Databricks notebook source\nprint(1)\n";
const base64 = (text: string) => Buffer.from(text).toString("base64");
const format = (name: string) => sdk.enum(`workspace.ImportFormat.${name}`);
const exported = (name: string) => sdk.enum(`workspace.ExportFormat.${name}`);
const python = sdk.enum("workspace.Language.PYTHON");
const home = "/Users/local-workspace@example.com";
const folder = `${home}/monitoring`;
const jupyter = JSON.stringify({ cells: [], metadata: {}, nbformat: 4, nbformat_minor: 5 });

await driveSdk({
  url: workspace.url,
  tokens: {
    admin: workspace.token,
    ann: "token-of-ann",
    deployer: { id: "deployer", secret: "token-of-deployer" },
  },
  calls: [
    {
      what: "who am I",
      call: "current_user.me",
      answers: { userName: "local-workspace@example.com", active: true },
    },
    {
      what: "a service principal",
      call: "current_user.me",
      as: "deployer",
      answers: { userName: "deployer" },
    },
    {
      what: "a folder must be there",
      call: "workspace.import_",
      args: { path: `${folder}/n`, content: base64(source), language: python },
      refuses: {
        type: "ResourceDoesNotExist",
        says: /parent folder .*monitoring.* does not exist/,
      },
    },
    {
      what: "folders are made",
      call: "workspace.mkdirs",
      args: { path: `/Workspace${folder}/deep` },
    },
    { what: "and again", call: "workspace.mkdirs", args: { path: folder } },
    {
      what: "a notebook is imported",
      call: "workspace.import_",
      args: {
        path: `${folder}/notebook`,
        content: base64(source),
        language: python,
        format: format("SOURCE"),
      },
    },
    {
      what: "it is described",
      call: "workspace.get_status",
      args: { path: `/Workspace${folder}/notebook` },
      answers: {
        path: `${folder}/notebook`,
        object_type: "NOTEBOOK",
        language: "PYTHON",
        size: source.length,
      },
    },
    {
      what: "it is not overwritten by itself",
      call: "workspace.import_",
      args: { path: `${folder}/notebook`, content: base64("x"), language: python },
      refuses: { type: "ResourceAlreadyExists", says: /notebook\) already exists/ },
    },
    {
      what: "but when that is meant",
      call: "workspace.import_",
      args: { path: `${folder}/notebook`, content: base64("2"), language: python, overwrite: true },
    },
    {
      what: "it is exported",
      call: "workspace.export",
      args: { path: `${folder}/notebook`, format: exported("SOURCE") },
      answers: { content: base64("2"), file_type: "py" },
    },
    {
      what: "the language of source must be known",
      call: "workspace.import_",
      args: { path: `${folder}/other`, content: base64(source), format: format("SOURCE") },
      refuses: { type: "InvalidParameterValue", says: /language/ },
    },
    {
      what: "a Jupyter notebook is one",
      call: "workspace.import_",
      args: { path: `${folder}/jupyter`, content: base64(jupyter), format: format("JUPYTER") },
    },
    {
      what: "what is none is refused",
      call: "workspace.import_",
      args: { path: `${folder}/wrong`, content: base64("{}"), format: format("JUPYTER") },
      refuses: { type: "InvalidParameterValue", says: /no Jupyter notebook/ },
    },
    {
      what: "by its name and first line a file is a notebook, without its extension",
      call: "workspace.import_",
      args: { path: `${folder}/auto.py`, content: base64(source), format: format("AUTO") },
    },
    {
      what: "another is a file",
      call: "workspace.upload",
      args: { path: `${folder}/agent.py`, content: sdk.file("x = 1"), format: format("AUTO") },
    },
    {
      what: "a file is read as it is",
      call: "workspace.download",
      args: { path: `${folder}/agent.py` },
      answers: "x = 1",
    },
    {
      what: "the folder lists what is in it, and not what is below",
      call: "workspace.list",
      args: { path: folder },
      answers: [
        { path: `${folder}/deep`, object_type: "DIRECTORY" },
        { path: `${folder}/notebook`, object_type: "NOTEBOOK" },
        { path: `${folder}/jupyter`, object_type: "NOTEBOOK" },
        { path: `${folder}/auto`, object_type: "NOTEBOOK", language: "PYTHON" },
        { path: `${folder}/agent.py`, object_type: "FILE" },
      ],
    },
    {
      what: "others don't see it",
      call: "workspace.get_status",
      args: { path: folder },
      as: "ann",
      refuses: { type: "PermissionDenied", says: /ann@example.com does not have CAN_READ/ },
    },
    {
      what: "nor in the list of homes",
      call: "workspace.list",
      args: { path: "/Users" },
      as: "ann",
      answers: [{ path: "/Users/ann@example.com" }],
    },
    {
      what: "its owner does",
      call: "workspace.get_status",
      args: { path: folder },
      answers: { object_type: "DIRECTORY" },
    },
    {
      what: "a folder is shared",
      call: "permissions.update",
      args: {
        request_object_type: "directories",
        request_object_id: sdk.answer("19.object_id"),
        access_control_list: [
          sdk.object("iam.AccessControlRequest", {
            user_name: "ann@example.com",
            permission_level: "CAN_READ",
          }),
        ],
      },
      answers: {
        access_control_list: [
          {
            user_name: "local-workspace@example.com",
            all_permissions: [{ permission_level: "CAN_MANAGE", inherited: false }],
          },
          { user_name: "ann@example.com", all_permissions: [{ permission_level: "CAN_READ" }] },
          { group_name: "admins", all_permissions: [{ inherited: true }] },
        ],
      },
    },
    {
      what: "and what is in it",
      call: "workspace.export",
      args: { path: `${folder}/notebook` },
      as: "ann",
      answers: { content: base64("2") },
    },
    {
      what: "to be read alone",
      call: "workspace.delete",
      args: { path: `${folder}/notebook` },
      as: "ann",
      refuses: { type: "PermissionDenied", says: /CAN_MANAGE/ },
    },
    {
      what: "a folder that is not empty stays",
      call: "workspace.delete",
      args: { path: folder },
      refuses: { type: "BadRequest", says: /is not empty/ },
    },
    { what: "unless all goes", call: "workspace.delete", args: { path: folder, recursive: true } },
    {
      what: "and is gone",
      call: "workspace.get_status",
      args: { path: `${folder}/notebook` },
      refuses: { type: "ResourceDoesNotExist", says: /doesn't exist/ },
    },
    {
      what: "an endpoint's permissions are by its id",
      call: "serving_endpoints.get",
      args: { name: "support-rag" },
      answers: { name: "support-rag" },
    },
    {
      what: "a service principal may ask it",
      call: "serving_endpoints.update_permissions",
      args: {
        serving_endpoint_id: sdk.answer("26.id"),
        access_control_list: [
          sdk.object("serving.ServingEndpointAccessControlRequest", {
            service_principal_name: "deployer",
            permission_level: "CAN_QUERY",
          }),
        ],
      },
      answers: {
        object_type: "serving-endpoint",
        access_control_list: [
          {},
          {
            service_principal_name: "deployer",
            all_permissions: [{ permission_level: "CAN_QUERY" }],
          },
          {},
        ],
      },
    },
    {
      what: "and sees it",
      call: "serving_endpoints.get",
      args: { name: "support-rag" },
      as: "deployer",
      answers: { permission_level: "CAN_QUERY" },
    },
    {
      what: "but may not let others in",
      call: "serving_endpoints.set_permissions",
      args: { serving_endpoint_id: sdk.answer("26.id"), access_control_list: [] },
      as: "deployer",
      refuses: { type: "PermissionDenied", says: /CAN_MANAGE/ },
    },
    {
      what: "the levels are known",
      call: "serving_endpoints.get_permission_levels",
      args: { serving_endpoint_id: sdk.answer("26.id") },
      answers: {
        permission_levels: [
          { permission_level: "CAN_VIEW" },
          { permission_level: "CAN_QUERY" },
          { permission_level: "CAN_MANAGE" },
        ],
      },
    },
    {
      what: "its name is not its id",
      call: "serving_endpoints.get_permissions",
      args: { serving_endpoint_id: "support-rag" },
      refuses: { type: "ResourceDoesNotExist", says: /does not exist/ },
    },
  ],
});
testDocumentedRoutes(import.meta.url, [workspace]);
await workspace.close();
